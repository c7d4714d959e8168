#include "os/error_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
each_number_has_words_of_its_own_or_is_named(void **state)
{
	char text[ERROR_TEXT_MAX], number[32];
	unsigned known = 0;

	(void)state;
	for (int error = 1; error < 200; error++) {
		assert_ptr_equal(error_text(error, text), text);
		assert_in_range(strlen(text), 7, ERROR_TEXT_MAX - 2);
		snprintf(number, sizeof(number), "error %d", error);
		known += strcmp(text, number) != 0;
	}
	assert_in_range(known, 20, 199);
	assert_string_equal(error_text(2147483647, text), "error 2147483647");
	assert_string_equal(error_text(ENOSPC, text),
	    "no space left on the device");
	assert_string_equal(error_text(EACCES, text), "permission denied");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_has_words_of_its_own_or_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
