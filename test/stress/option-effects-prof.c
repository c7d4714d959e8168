#include "option-effects.h"
const struct effect effects_prof[] = { { .key = NULL } };
