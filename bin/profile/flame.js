/*
 * A flame graph in a browser: zoom, search, the inverted view, keys. Frames are
 * g elements: data-n is the name, data-p the number of the parent, data-x and
 * data-w the original place and width, data-d the depth, data-s what the frame
 * has itself (width, change, base, other). Stacks begin at the bottom.
 */
(function () {
'use strict';
var svg = document.querySelector('svg.flame');
var space = 'http://www.w3.org/2000/svg';
var WIDTH = 1200, ROW = 17, LETTER = 7.3;
var top = +svg.dataset.top, total = +svg.dataset.total;
var differs = svg.dataset.base === '1', unit = svg.dataset.unit;
var legend = svg.querySelector('.legend');
var details = svg.querySelector('.details');
var found = svg.querySelector('.found');
var box = svg.querySelector('input');
var normal = read(svg.querySelector('.frames')), inverted = null;
var tree = normal, zoomed = normal[0], focused = normal[0], pattern = null;

function read(holder) {
	var nodes = [];

	holder.querySelectorAll('g[data-n]').forEach(function (g) {
		var self = (g.dataset.s || '0,0,0,0').split(',').map(Number);
		var node = { g: g, name: g.dataset.n, x: +g.dataset.x,
		    w: +g.dataset.w, depth: +g.dataset.d, self: self,
		    children: [], parent: nodes[+g.dataset.p] || null,
		    fill: g.querySelector('rect').getAttribute('fill') };

		if (node.parent)
			node.parent.children.push(node);
		nodes.push(node);
	});
	nodes.holder = holder;
	return nodes;
}

function number(value, of) {
	if (of === 'MB')
		return (value / 1048576).toFixed(1);
	return String(Math.round(value));
}

function text(node, sums) {
	var share = total > 0 ? 100 * sums[0] / total : 0;
	var other = unit === 'objects' ? 'B' : 'objects';

	if (differs)
		return node.name + ': ' + (sums[1] > 0 ? '+' : '') +
		    number(sums[1], unit) + ' ' + unit + ' (' +
		    number(sums[2], unit) + ' to ' +
		    number(sums[2] + sums[1], unit) + ')\n' +
		    (sums[3] > 0 ? '+' : '') + number(sums[3], other) + ' ' +
		    other + ', ' + node.module;
	return node.name + ': ' + number(sums[1], unit) + ' ' + unit + ', ' +
	    share.toFixed(1) + '%\n' + number(sums[3], other) + ' ' + other +
	    ', ' + node.module;
}

function color(sums, fill) {
	var share = sums[0] > 0 ? Math.abs(sums[1]) / sums[0] : 0;
	var pale = Math.round(235 - 125 * share);

	if (!differs)
		return fill;
	return sums[1] >= 0 ? 'rgb(240,' + pale + ',' + pale + ')' :
	    'rgb(' + pale + ',' + pale + ',240)';
}

/* The tree from the innermost functions on: who has called them? */
function invert() {
	var root = { name: 'all', module: '', sums: [0, 0, 0, 0], byName: {},
	    list: [], fill: normal[0].fill };
	var small = [0, 0, 0, 0];

	function add(sums, more) {
		for (var i = 0; i < 4; i++)
			sums[i] += more[i];
	}
	normal.forEach(function (node) {
		var at = root;

		if (node.self[0] === 0)
			return;
		add(root.sums, node.self);
		for (var frame = node; frame.parent; frame = frame.parent) {
			var key = '$' + frame.name;

			if (!at.byName[key]) {
				at.byName[key] = { name: frame.name, list: [],
				    module: frame.g.dataset.m, fill: frame.fill,
				    sums: [0, 0, 0, 0], byName: {} };
				at.list.push(at.byName[key]);
			}
			at = at.byName[key];
			add(at.sums, node.self);
		}
	});
	small[0] = total - root.sums[0];
	if (small[0] > total / 1e6)
		root.list.push({ name: '(too small to be drawn)', module: '',
		    list: [], fill: '#ccc', sums: small });
	root.sums[0] = total;
	return root;
}

function create(kind, values, parent) {
	var element = document.createElementNS(space, kind);

	Object.keys(values).forEach(function (key) {
		element.setAttribute(key, values[key]);
	});
	return parent.appendChild(element);
}

/* Draws the inverted tree; like the other, without what is too narrow. */
function draw_inverted() {
	var holder = create('g', { 'class': 'frames' }, svg);
	var nodes = [];

	function draw(item, parent, x, depth) {
		var w = item.sums[0] / total * WIDTH;
		var node;

		if (w < 0.2 && parent)
			return;
		var g = create('g', { 'data-n': item.name, tabindex: -1 },
		    holder);
		create('title', {}, g).textContent = text(item, item.sums);
		create('rect', { y: top + depth * ROW, height: ROW - 1,
		    fill: color(item.sums, item.fill) }, g);
		create('text', { y: top + depth * ROW + 12 }, g);
		node = { g: g, name: item.name, x: x, w: w, depth: depth,
		    parent: parent, children: [] };
		nodes.push(node);
		if (parent)
			parent.children.push(node);
		item.list.sort(function (a, b) {
			return b.sums[0] - a.sums[0] ||
			    (a.name < b.name ? -1 : 1);
		});
		item.list.forEach(function (child) {
			draw(child, node, x, depth + 1);
			x += child.sums[0] / total * WIDTH;
		});
	}
	draw(invert(), null, 0, 0);
	nodes.holder = holder;
	nodes.forEach(listen);
	return nodes;
}

function label(node, width) {
	var letters = Array.from(node.name);
	var room = Math.floor((width - 6) / LETTER);

	node.g.querySelector('text').textContent = room < 3 ? '' :
	    letters.length <= room ? node.name :
	    letters.slice(0, room - 2).join('') + '..';
}

function zoom(to) {
	var e = 1e-6;

	zoomed = to;
	tree.forEach(function (node) {
		var inside = node.x >= to.x - e &&
		    node.x + node.w <= to.x + to.w + e;
		var around = node.x <= to.x + e &&
		    node.x + node.w >= to.x + to.w - e;
		var x = around ? 0 : (node.x - to.x) / to.w * WIDTH;
		var w = around ? WIDTH : node.w / to.w * WIDTH;
		var rect = node.g.querySelector('rect');

		node.g.style.display = inside || around ? '' : 'none';
		node.g.style.opacity = around && node.depth < to.depth ? 0.5 :
		    1;
		if (!inside && !around)
			return;
		rect.setAttribute('x', x);
		rect.setAttribute('width', Math.max(w - 0.5, 0.1));
		node.g.querySelector('text').setAttribute('x', x + 3);
		label(node, w);
	});
}

/* Frames that are too narrow are not there, so they can't be searched. */
function hidden() {
	var sum = 0;

	normal.forEach(function (node) {
		sum += node.self[0];
	});
	sum = total > 0 ? 100 - 100 * sum / total : 0;
	return sum < 0.05 ? '' : ', not drawn: ' + sum.toFixed(1) + '%';
}

/* What matches, and its share; a frame within another counts once. */
function search() {
	var sum = 0;

	pattern = null;
	if (box && box.value !== '') {
		try {
			pattern = new RegExp(box.value, 'i');
		} catch (error) {
			pattern = new RegExp(box.value.replace(
			    /[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
		}
	}
	tree.forEach(function (node) {
		var hit = pattern !== null && node.parent !== null &&
		    pattern.test(node.name);

		node.g.classList.toggle('hit', hit);
		node.hit = hit || (node.parent !== null && node.parent.hit);
		if (hit && !node.parent.hit)
			sum += node.w;
	});
	found.textContent = pattern === null ? '' : 'matched: ' +
	    (sum / WIDTH * 100).toFixed(1) + '%' + hidden();
}

function show(node) {
	details.textContent = node.g.querySelector('title').textContent
	    .replace(/\n/g, '; ');
}

function focus(node) {
	if (!node || node.g.style.display === 'none')
		return;
	focused.g.setAttribute('tabindex', -1);
	focused = node;
	node.g.setAttribute('tabindex', 0);
	node.g.focus();
	show(node);
}

function toggle() {
	if (inverted === null)
		inverted = draw_inverted();
	tree.holder.style.display = 'none';
	tree = tree === normal ? inverted : normal;
	tree.holder.style.display = '';
	/* The picture is as high as its tree, with the legend below. */
	var rows = Math.max.apply(null, tree.map(function (node) {
		return node.depth;
	})) + 1;
	var height = top + rows * ROW + 28;

	if (tree === normal)
		height = +svg.dataset.height;
	svg.setAttribute('height', height);
	svg.setAttribute('viewBox', '0 0 ' + WIDTH + ' ' + height);
	legend.setAttribute('transform', 'translate(0,' +
	    (height - svg.dataset.height) + ')');
	svg.querySelector('.invert').classList.toggle('on', tree !== normal);
	focused = tree[0];
	zoom(tree[0]);
	search();
}

function sibling(node, step) {
	var list = node.parent ? node.parent.children : [node];

	return list[list.indexOf(node) + step];
}

/* Arrows go to caller, callee and neighbours, as they are drawn. */
function key(event) {
	var up = tree === normal ? 'ArrowUp' : 'ArrowDown';
	var down = tree === normal ? 'ArrowDown' : 'ArrowUp';

	if (event.target === box && event.key !== 'Escape')
		return;
	if (event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.key === '/') {
		if (box)
			box.focus();
	} else if (event.key === 'Escape') {
		if (box) {
			box.value = '';
			box.blur();
		}
		search();
		zoom(tree[0]);
	} else if (event.key === 'i') {
		toggle();
	} else if (event.key === 'Enter' && event.target.closest('svg')) {
		zoom(focused);
	} else if (event.key === up) {
		focus(focused.children.reduce(function (a, b) {
			return a && a.w >= b.w ? a : b;
		}, null));
	} else if (event.key === down) {
		focus(focused.parent);
	} else if (event.key === 'ArrowLeft') {
		focus(sibling(focused, -1));
	} else if (event.key === 'ArrowRight') {
		focus(sibling(focused, 1));
	} else {
		return;
	}
	event.preventDefault();
}

function listen(node) {
	node.g.addEventListener('click', function () {
		focus(node);
		zoom(node);
	});
	node.g.addEventListener('mouseenter', function () { show(node); });
}

normal.forEach(function (node) {
	node.module = node.g.dataset.m;
	node.g.setAttribute('tabindex', -1);
	label(node, node.w);
	listen(node);
});
normal[0].g.setAttribute('tabindex', 0);
svg.querySelector('.invert').addEventListener('click', toggle);
if (box)
	box.addEventListener('input', search);
(document.documentElement === svg ? window : svg).addEventListener('keydown',
    key);
/* The bottom of a high picture is where stacks begin. */
if (document.documentElement === svg)
	scrollTo(0, 1e6);
}());
