#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define WIDTH	 1200.0
#define HEIGHT	 17
#define TOP	 36
#define LETTER	 7.3	/* most width of a letter; the script has it, too */
#define LEAST	 0.2	/* pixels; narrower frames are left out */

struct flame {
	const char *name;
	double value;
	struct flame *children, *next;
};

/*
 * A click on a frame makes it as wide as the picture; a click on the lowest
 * frame undoes that. data-x and data-w keep the original x and w of each frame.
 * Stacks begin at the bottom, so the page first shows the bottom of a high
 * picture.
 */
static const char script[] =
    "<script><![CDATA[\n"
    "var all=Array.from(document.querySelectorAll('g[data-x]'));\n"
    "function label(g,w){var t=g.querySelector('text'),s=g.dataset.n,"
    "n=Math.floor((w-6)/7.3);t.textContent=n<3?'':s.length<=n?s:"
    "s.slice(0,n-2)+'..';}\n"
    "function zoom(c){var x=+c.dataset.x,w=+c.dataset.w;"
    "all.forEach(function(g){var gx=+g.dataset.x,gw=+g.dataset.w,"
    "e=1e-6,inside=gx>=x-e&&gx+gw<=x+w+e,around=gx<=x+e&&gx+gw>=x+w-e;"
    "g.style.display=inside||around?'':'none';"
    "var nx=around?0:(gx-x)/w*1200,nw=around?1200:gw/w*1200;"
    "var r=g.querySelector('rect');r.setAttribute('x',nx);"
    "r.setAttribute('width',Math.max(nw-0.5,0.1));"
    "g.querySelector('text').setAttribute('x',nx+3);label(g,nw);});}\n"
    "all.forEach(function(g){label(g,+g.dataset.w);"
    "g.addEventListener('click',function(){zoom(g);});});\n"
    "if(document.documentElement.tagName=='svg')scrollTo(0,1e6);\n"
    "]]></script>\n";

static const char *
frame_label(const struct frame *frame)
{
	return frame->name != NULL ? frame->name : frame->short_name;
}

static struct flame *
flame_child(struct flame *parent, const char *name)
{
	struct flame **link = &parent->children;

	for (; *link != NULL; link = &(*link)->next) {
		if ((*link)->name == name)
			return *link;
	}
	*link = memory(1, sizeof(**link));
	(*link)->name = name;
	return *link;
}

/* Leaves out negative values: they come from a subtraction, without a width. */
static void
flame_fill(struct flame *root, const struct traces *traces)
{
	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];
		struct flame *at = root;

		if (trace->value <= 0)
			continue;
		root->value += trace->value;
		for (unsigned k = trace->count; k-- > 0;) {
			at = flame_child(at, frame_label(trace->frames[k]));
			at->value += trace->value;
		}
	}
}

static bool
flame_wide(const struct flame *flame, double scale)
{
	return flame->value * scale >= LEAST;
}

static unsigned
flame_depth(const struct flame *flame, double scale)
{
	unsigned deepest = 0;

	for (const struct flame *child = flame->children; child != NULL;
	    child = child->next) {
		unsigned depth = flame_wide(child, scale) ?
		    flame_depth(child, scale) : 0;

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

static void
write_escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		default: fputc(*text, to);
		}
	}
}

static void
write_frame(const struct report *report, const struct flame *flame, double x,
    double y)
{
	FILE *to = report->to;
	double width = flame->value * WIDTH / report->traces.kept;
	unsigned hash = (unsigned)hash_bytes(flame->name, strlen(flame->name));
	int room = (int)((width - 6) / LETTER);

	fprintf(to, "<g data-x=\"%.4f\" data-w=\"%.4f\" data-n=\"", x, width);
	write_escaped(to, flame->name);
	fputs("\"><title>", to);
	write_escaped(to, flame->name);
	fprintf(to, ": %s %s, %s</title>", report_number(report, flame->value),
	    report_unit(report),
	    report_percent(flame->value, report->traces.kept));
	fprintf(to, "<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" "
	    "fill=\"rgb(%u,%u,%u)\"/>", x, y,
	    width > 0.6 ? width - 0.5 : 0.1, HEIGHT - 1, 205 + hash % 50,
	    100 + hash / 64 % 120, 40 + hash / 8192 % 60);
	fprintf(to, "<text x=\"%.2f\" y=\"%.0f\">", x + 3, y + 12);
	if (room >= 3) {
		char *text = print("%.*s", room, flame->name);

		write_escaped(to, text);
		free(text);
	}
	fputs("</text></g>\n", to);
}

static int
compare_names(const void *a, const void *b)
{
	const struct flame *first = *(struct flame *const *)a;
	const struct flame *second = *(struct flame *const *)b;

	return strcmp(first->name, second->name);
}

static void
write_tree(const struct report *report, const struct flame *flame, double x,
    double y)
{
	double scale = WIDTH / report->traces.kept;
	struct flame **order = NULL;
	size_t count = 0;

	write_frame(report, flame, x, y);
	for (struct flame *child = flame->children; child != NULL;
	    child = child->next) {
		if (!flame_wide(child, scale))
			continue;
		order = array_room(order, count, sizeof(struct flame *));
		order[count++] = child;
	}
	if (count > 0)
		sort(order, count, sizeof(struct flame *), compare_names);
	for (size_t i = 0; i < count; i++) {
		write_tree(report, order[i], x, y - HEIGHT);
		x += order[i]->value * scale;
	}
	free(order);
}

void
report_flamegraph(struct report *report)
{
	struct flame root = { .name = "all" };

	flame_fill(&root, &report->traces);
	if (root.value <= 0)
		fail("No nodes to print: no function has more than in "
		    "the base");
	report->traces.kept = root.value;

	unsigned depth = flame_depth(&root, WIDTH / root.value);
	unsigned height = TOP + depth * HEIGHT + 8;

	fprintf(report->to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
	    "height=\"%u\" viewBox=\"0 0 %.0f %u\">\n"
	    "<style>text{font:12px monospace;pointer-events:none}"
	    "g{cursor:pointer}g:hover rect{stroke:#000}</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
	    "<text x=\"6\" y=\"20\">", WIDTH, height, WIDTH, height);
	write_escaped(report->to, report->program);
	fprintf(report->to, "%s: %s %s</text>\n", report->title,
	    report_number(report, root.value), report_unit(report));
	write_tree(report, &root, 0, TOP + (depth - 1) * HEIGHT);
	fprintf(report->to, "%s</svg>\n", script);
}
