#include "stats/events.h"

struct stats_events stats_events;
