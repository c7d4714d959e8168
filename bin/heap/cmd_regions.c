#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "session.h"

static bool
region_print(void *context, const struct region *region)
{
	const struct session *session = context;

	if (!session->options.json) {
		printf("%#" PRIx64 " %" PRIu64 " %s %" PRIu32 "\n",
		    region->address, region->size,
		    region_state_name(region->state), region->run->arena);
		return true;
	}
	json_object(NULL);
	json_address("address", region->address);
	json_number("size", region->size);
	json_text("state", region_state_name(region->state));
	json_number("arena", region->run->arena);
	json_end();
	return true;
}

void
command_regions(struct session *session)
{
	if (session->options.json)
		json_array("regions");
	session_each(session, region_print, session);
	if (session->options.json)
		json_end();
}
