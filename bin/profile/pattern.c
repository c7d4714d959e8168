#include "pattern.h"

#include "tool.h"

void
pattern_compile(struct pattern *pattern, const char *option, const char *text)
{
	int error;
	size_t where;
	PCRE2_UCHAR message[128];

	if (text == NULL)
		return;
	pattern->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    0, &error, &where, NULL);
	if (pattern->code == NULL) {
		pcre2_get_error_message(error, message, sizeof(message));
		fail("--%s=%s: at %zu: %s", option, text, where,
		    (char *)message);
	}
	pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
	pattern->match = pcre2_match_data_create_from_pattern(pattern->code,
	    NULL);
	if (pattern->match == NULL)
		fail("out of memory");
}

bool
pattern_matches(const struct pattern *pattern, const char *text)
{
	return pcre2_match(pattern->code, (PCRE2_SPTR)text,
		   PCRE2_ZERO_TERMINATED, 0, 0, pattern->match, NULL) >= 0;
}
