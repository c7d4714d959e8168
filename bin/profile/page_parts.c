#include "page_parts.h"

/* Made by the build from the files of the same name, without the last .h. */
const char flame_script[] =
#include "flame.js.h"
    ;

const char page_script[] =
#include "page.js.h"
    ;

const char page_style[] =
#include "page.css.h"
    ;

const char flame_style[] =
    "text{font:12px monospace;pointer-events:none}.frames g{cursor:pointer}"
    ".frames g:hover rect,.frames g:focus rect{stroke:#000}"
    ".frames g:focus{outline:none}.hit rect{fill:#c3f}"
    ".details,.found{fill:#444}.invert{cursor:pointer}"
    ".invert rect{fill:#eee;stroke:#888}.invert.on rect{fill:#bdf}";

/* A picture can't have a box to write in, but HTML inside of it can. */
const char flame_controls[] =
    "<text class=\"details\" x=\"6\" y=\"56\"></text>\n"
    "<foreignObject x=\"6\" y=\"25\" width=\"250\" height=\"22\">"
    "<input xmlns=\"http://www.w3.org/1999/xhtml\" type=\"search\" "
    "placeholder=\"search (/)\" aria-label=\"search\" "
    "style=\"width:240px;height:20px;box-sizing:border-box;"
    "font:12px monospace\"/></foreignObject>\n"
    "<text class=\"found\" x=\"262\" y=\"41\"></text>\n"
    "<g class=\"invert\" role=\"button\"><title>the innermost functions first "
    "(i)</title><rect x=\"420\" y=\"26\" width=\"74\" "
    "height=\"19\" rx=\"3\"/><text x=\"428\" y=\"40\">Inverted</text></g>\n"
    "<text class=\"details\" x=\"506\" y=\"40\">click or Enter: enlarge; "
    "Esc: all; arrows: go; i: inverted; /: search</text>\n";
