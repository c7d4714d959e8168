/*
 * The page of all reports: sorts and filters the table of functions, and shows
 * callers and callees of the one that is chosen.
 */
(function () {
'use strict';
var rows = Array.from(document.querySelectorAll('#functions tbody tr'));
var body = document.querySelector('#functions tbody');
var filter = document.getElementById('filter');
var byNumber = {};

rows.forEach(function (row) {
	byNumber[row.dataset.i] = row;
});

function number(value) {
	return edges.unit === 'MB' ? (value / 1048576).toFixed(1) :
	    String(Math.round(value));
}

function name(i) {
	var row = byNumber[i];

	return row ? row.querySelector('a').textContent : '(smaller ones)';
}

/* One side: what has called the function, or what it has called. */
function side(id, from, to, chosen) {
	var table = document.querySelector('#' + id + ' tbody');
	var list = edges.list.filter(function (edge) {
		return edge[from] === chosen;
	});

	table.textContent = '';
	list.sort(function (a, b) { return Math.abs(b[2]) - Math.abs(a[2]); });
	list.forEach(function (edge) {
		var row = table.insertRow(), link;

		row.insertCell().textContent = number(edge[2]);
		link = document.createElement('a');
		link.href = '#f' + edge[to];
		link.textContent = name(edge[to]);
		row.insertCell().appendChild(link);
	});
	if (list.length === 0)
		table.insertRow().insertCell().textContent = 'none';
}

function choose(i) {
	var row = byNumber[i], source;

	document.querySelectorAll('tr.chosen').forEach(function (old) {
		old.classList.remove('chosen');
	});
	if (!row)
		return;
	row.classList.add('chosen');
	document.getElementById('chosen').textContent = name(i);
	side('callers', 1, 0, i);
	side('callees', 0, 1, i);
	source = document.querySelector('details[data-f="' +
	    CSS.escape(row.dataset.n) + '"]');
	document.getElementById('to-source').hidden = !source;
	if (source) {
		source.open = true;
		document.getElementById('to-source').href = '#' + source.id;
	}
}

function sort(column, button) {
	var old = document.querySelector('#functions th[aria-sort]');
	var head = button.parentNode;
	var down = head.getAttribute('aria-sort') !== 'descending';

	if (old)
		old.removeAttribute('aria-sort');
	head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
	rows.sort(function (a, b) {
		var x = column === 'n' ? name(b.dataset.i) : +a.dataset[column];
		var y = column === 'n' ? name(a.dataset.i) : +b.dataset[column];

		return (x < y ? 1 : x > y ? -1 : 0) * (down ? 1 : -1);
	});
	rows.forEach(function (row) { body.appendChild(row); });
}

document.querySelectorAll('#functions th button').forEach(function (button) {
	button.addEventListener('click', function () {
		sort(button.dataset.by, button);
	});
});
filter.addEventListener('input', function () {
	var words = filter.value.toLowerCase();

	rows.forEach(function (row) {
		row.hidden = name(row.dataset.i).toLowerCase()
		    .indexOf(words) < 0;
	});
});
window.addEventListener('hashchange', function () {
	var found = /^#f(\d+)$/.exec(location.hash);

	if (found)
		choose(+found[1]);
});
if (/^#f\d+$/.test(location.hash))
	choose(+location.hash.slice(2));
else if (rows.length > 0)
	choose(+rows[0].dataset.i);
}());
