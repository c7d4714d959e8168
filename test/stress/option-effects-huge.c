#include "option-effects.h"
const struct effect effects_huge[] = { { .key = NULL } };
