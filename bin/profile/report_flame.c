#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "flame.h"
#include "page_parts.h"
#include "tool.h"

#define WIDTH  FLAME_WIDTH
#define HEIGHT 17
#define TOP    64
#define LETTER 7.3 /* most width of a letter; the script has it, too */

struct picture {
	const struct report *report;
	const struct flames *flames;
	unsigned frames; /* written so far */
	unsigned base;   /* y of the lowest row */
};

/* Hues that differ well, by rank of the module; others are grey. */
/* clang-format off */
static const unsigned hues[] = {
	28, 210, 120, 275, 55, 330, 175, 245, 90, 0,
};
/* clang-format on */

static unsigned
flame_depth(const struct flame *flame)
{
	unsigned deepest = 0;

	for (const struct flame *child = flame->children; child != NULL;
	     child = child->next) {
		unsigned depth = flame_depth(child);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* The other view of the tooltip: objects for bytes, bytes for objects. */
static char *
other_number(const struct report *report, double value)
{
	bool bytes = report->view == INUSE_SPACE || report->view == ALLOC_SPACE;

	return print("%.0f %s", value, bytes ? "objects" : "B");
}

static char *
tooltip(const struct picture *picture, const struct flame *flame)
{
	const struct report *report = picture->report;
	const struct flame_values *all = &flame->all;
	const char *unit = report_unit(report);
	const char *module = picture->flames->modules[flame->module].name;
	char *other, *text;

	other = other_number(report, all->other);
	if (report->base != NULL)
		text = print(": %s%s %s (%s to %s)\n%s%s, %s",
		    all->change > 0 ? "+" : "",
		    report_number(report, all->change), unit,
		    report_number(report, all->base),
		    report_number(report, all->base + all->change),
		    all->other > 0 ? "+" : "", other, module);
	else
		text = print(": %s %s, %s\n%s, %s",
		    report_number(report, all->change), unit,
		    report_percent(all->width, picture->flames->root.all.width),
		    other, module);
	free(other);
	return text;
}

/* Red: it grew; blue: it shrank; pale: both at its callees. */
static void
write_fill(const struct picture *picture, const struct flame *flame)
{
	FILE *to = picture->report->to;
	const struct flame_values *all = &flame->all;
	unsigned hash = (unsigned)hash_bytes(flame->name, strlen(flame->name));
	int pale = 235 -
	    (int)lround(125 * fabs(all->change) /
		(all->width > 0 ? all->width : 1));

	if (picture->report->base == NULL)
		fprintf(to, "hsl(%u,%u%%,%u%%)",
		    hues[flame->module % LENGTH(hues)],
		    flame->module < LENGTH(hues) ? 70 : 8, 64 + hash % 12);
	else if (all->change >= 0)
		fprintf(to, "rgb(240,%d,%d)", pale, pale);
	else
		fprintf(to, "rgb(%d,%d,240)", pale, pale);
}

static void
write_frame(struct picture *picture, const struct flame *flame, double x,
    unsigned depth, unsigned parent)
{
	FILE *to = picture->report->to;
	double width = flame->all.width * picture->flames->scale;
	const struct flame_values *self = &flame->self;
	unsigned y = picture->base - depth * HEIGHT;
	char *tip = tooltip(picture, flame);
	int room = (int)((width - 6) / LETTER);

	fprintf(to,
	    "<g data-p=\"%d\" data-x=\"%.4f\" data-w=\"%.4f\" "
	    "data-d=\"%u\" data-n=\"",
	    depth == 0 ? -1 : (int)parent, x, width, depth);
	escape_xml(to, flame->name);
	fputs("\" data-m=\"", to);
	escape_xml(to, picture->flames->modules[flame->module].name);
	if (self->width != 0)
		fprintf(to, "\" data-s=\"%.0f,%.0f,%.0f,%.0f", self->width,
		    self->change, self->base, self->other);
	fputs("\"><title>", to);
	escape_xml(to, flame->name);
	escape_xml_lines(to, tip);
	fprintf(to,
	    "</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" "
	    "height=\"%d\" fill=\"",
	    x, y, width > 0.6 ? width - 0.5 : 0.1, HEIGHT - 1);
	write_fill(picture, flame);
	fprintf(to, "\"/><text x=\"%.2f\" y=\"%u\">", x + 3, y + 12);
	if (room >= 3)
		escape_xml_part(to, flame->name, (size_t)room);
	fputs("</text></g>\n", to);
	picture->frames++;
	free(tip);
}

static int
compare_names(const void *a, const void *b)
{
	const struct flame *first = *(struct flame *const *)a;
	const struct flame *second = *(struct flame *const *)b;

	return strcmp(first->name, second->name);
}

static void
write_tree(struct picture *picture, const struct flame *flame, double x,
    unsigned depth, unsigned parent)
{
	struct flame **order = NULL;
	size_t count = 0;
	unsigned number = picture->frames;

	write_frame(picture, flame, x, depth, parent);
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next) {
		order = array_room(order, count, sizeof(struct flame *));
		order[count++] = child;
	}
	sort(order, count, sizeof(struct flame *), compare_names);
	for (size_t i = 0; i < count; i++) {
		write_tree(picture, order[i], x, depth + 1, number);
		x += order[i]->all.width * picture->flames->scale;
	}
	free(order);
}

/* Names of the modules with their colours, as many as there is room for. */
static void
write_legend(const struct picture *picture, unsigned y)
{
	FILE *to = picture->report->to;
	const struct flames *flames = picture->flames;
	double x = 6;

	fputs("<g class=\"legend\">", to);
	for (size_t i = 0; picture->report->base == NULL &&
	     i < flames->nmodules && i < LENGTH(hues);
	     i++) {
		const char *name = flames->modules[i].name;
		double width = 30 + LETTER * (double)escape_count(name);

		if (x + width > WIDTH)
			break;
		fprintf(to,
		    "<rect x=\"%.0f\" y=\"%u\" width=\"12\" "
		    "height=\"12\" fill=\"hsl(%u,70%%,68%%)\"/>"
		    "<text x=\"%.0f\" y=\"%u\">",
		    x, y - 10, hues[i], x + 16, y);
		escape_xml(to, name);
		fputs("</text>", to);
		x += width;
	}
	if (picture->report->base != NULL)
		fprintf(to,
		    "<rect x=\"6\" y=\"%u\" width=\"12\" height=\"12\" "
		    "fill=\"rgb(240,110,110)\"/><text x=\"22\" y=\"%u\">more"
		    "</text><rect x=\"66\" y=\"%u\" width=\"12\" height=\"12\" "
		    "fill=\"rgb(110,110,240)\"/><text x=\"82\" y=\"%u\">less "
		    "than in the base; a width is how much changed</text>",
		    y - 10, y, y - 10, y);
	fputs("</g>\n", to);
}

static void
write_head(const struct picture *picture, unsigned height)
{
	const struct report *report = picture->report;
	FILE *to = report->to;
	char *headline = report_headline(report);

	fprintf(to,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame\" "
	    "width=\"%.0f\" height=\"%u\" viewBox=\"0 0 %.0f %u\" "
	    "data-top=\"%d\" data-height=\"%u\" data-total=\"%.0f\" "
	    "data-unit=\"%s\" data-base=\"%d\">\n<title>",
	    WIDTH, height, WIDTH, height, TOP, height,
	    picture->flames->root.all.width, report_unit(report),
	    report->base != NULL);
	escape_xml(to, headline);
	fprintf(to,
	    "</title>\n<style>%s</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
	    "<text class=\"headline\" x=\"6\" y=\"20\">",
	    flame_style);
	escape_xml_part(to, headline, (size_t)((WIDTH - 12) / LETTER));
	fprintf(to, "</text>\n%s", flame_controls);
	free(headline);
}

/* The picture alone, to be put into a page or behind a line for XML. */
static void
write_svg(struct report *report)
{
	struct flames flames;
	struct picture picture = { .report = report, .flames = &flames };
	unsigned depth, height;

	flames_make(&flames, report);
	depth = flame_depth(&flames.root);
	picture.base = TOP + (depth - 1) * HEIGHT;
	height = TOP + depth * HEIGHT + 28;
	write_head(&picture, height);
	fputs("<g class=\"frames\">\n", report->to);
	write_tree(&picture, &flames.root, 0, 0, 0);
	fputs("</g>\n", report->to);
	write_legend(&picture, height - 9);
	free(flames.modules);
}

void
report_flamegraph(struct report *report)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", report->to);
	write_svg(report);
	fprintf(report->to, "<script><![CDATA[\n%s]]></script></svg>\n",
	    flame_script);
}

void
report_flame_part(struct report *report)
{
	write_svg(report);
	fputs("</svg>\n", report->to);
}
