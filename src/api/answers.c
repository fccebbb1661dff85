/* answers: what is answered, as JSON Schema, for the OpenAPI document. A test asks each route and
 * compares. */
#include "api_room.h"

#define TEXT   "{\"type\":\"string\"}"
#define TEXT0  "{\"type\":[\"string\",\"null\"]}"
#define WHEN   "{\"type\":\"string\",\"format\":\"date-time\"}"
#define ID     SCHEMA_ID
#define FLAG   "{\"type\":\"boolean\"}"
#define NUMBER "{\"type\":\"integer\"}"
#define OBJECT "{\"type\":\"object\"}"
#define OBJ0   "{\"type\":[\"object\",\"null\"]}"
#define STATUS                                                                                     \
	"{\"enum\":[\"streaming\",\"complete\",\"length\",\"stopped\",\"error\",\"interrupted\"]}"
#define TIMES                                                                                      \
	"\"created_at\":" WHEN ",\"createdAt\":" WHEN ",\"updated_at\":" WHEN ",\"updatedAt\""     \
	":" WHEN

static const struct {
	const char *name, *json;
} schemas[] = {
	{ "Thread",
	  "{\"type\":\"object\",\"required\":[\"id\",\"threadId\",\"title\"],\"properties\":{"
	  "\"id\":" ID ",\"threadId\":" ID ",\"title\":" TEXT ",\"user_id\":" TEXT "," TIMES
	  ",\"archived\":" FLAG ",\"metadata\":" OBJECT "}}" },
	{ "Message",
	  "{\"type\":\"object\",\"required\":[\"id\",\"role\",\"content\",\"status\"],"
	  "\"properties\":{\"id\":" ID ",\"thread_id\":" ID
	  ",\"role\":{\"enum\":[\"user\",\"assistant\",\"system\",\"tool\"]},\"content\":" TEXT
	  ",\"status\":" STATUS ",\"run_id\":" ID "," TIMES ",\"finish_reason\":" TEXT0
	  ",\"usage\":" OBJ0 ",\"model\":" TEXT0 ",\"metadata\":" OBJECT ",\"feedback\":" OBJ0
	  "}}" },
	{ "BareMessage", "{\"type\":\"object\",\"required\":[\"id\",\"role\",\"content\"],"
			 "\"properties\":{\"id\":" ID
			 ",\"role\":{\"enum\":[\"user\",\"assistant\"]},\"content\":" TEXT "}}" },
	{ "ThreadPage",
	  "{\"type\":\"object\",\"required\":[\"threads\"],\"properties\":{\"threads\":{\"type\":"
	  "\"array\",\"items\":{\"$ref\":\"#/components/schemas/Thread\"}},\"nextCursor\":" TEXT
	  "}}" },
	{ "Said",
	  "{\"type\":\"object\",\"required\":[\"message\"],\"properties\":{\"message\":" TEXT
	  "}}" },
	{ "Run", "{\"type\":\"object\",\"required\":[\"id\",\"status\",\"bytes\"],\"properties\":{"
		 "\"id\":" ID ",\"thread_id\":" ID ",\"message_id\":" ID ",\"status\":" STATUS
		 ",\"bytes\":" NUMBER ",\"saved\":" FLAG ",\"created_at\":" WHEN
		 ",\"ended_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
		 ",\"finish_reason\":" TEXT0 ",\"usage\":" OBJ0 "}}" },
	{ "Stopped", "{\"type\":\"object\",\"properties\":{\"id\":" ID ",\"status\":" STATUS
		     ",\"upstream_closed\":" FLAG ",\"bytes\":" NUMBER "}}" },
	{ "Deleted",
	  "{\"type\":\"object\",\"properties\":{\"deleted\":{\"const\":true},\"id\":" ID "}}" },
	{ "Claimed", "{\"type\":\"object\",\"required\":[\"claimed\"],\"properties\":{"
		     "\"claimed\":" NUMBER "}}" },
	{ "Health", "{\"type\":\"object\",\"properties\":{\"status\":{\"enum\":[\"healthy\","
		    "\"degraded\",\"unhealthy\"]},"
		    "\"timestamp\":" WHEN
		    ",\"services\":{\"type\":\"object\",\"properties\":{\"database\":" OBJECT
		    ",\"llm_api\":" OBJECT "}}}}" },
	{ "Object", OBJECT },
	{ "EventRun", "{\"type\":\"object\",\"required\":[\"run_id\",\"thread_id\",\"message_id\"],"
		      "\"properties\":{\"run_id\":" ID ",\"thread_id\":" ID ",\"message_id\":" ID
		      ",\"model\":" TEXT0 "}}" },
	{ "EventUsage", "{\"type\":\"object\",\"properties\":{\"input_tokens\":" NUMBER
			",\"output_tokens\":" NUMBER ",\"total_tokens\":" NUMBER "}}" },
	{ "EventDone", "{\"type\":\"object\",\"required\":[\"status\",\"bytes\"],\"properties\":{"
		       "\"status\":" STATUS ",\"finish_reason\":" TEXT0 ",\"bytes\":" NUMBER "}}" },
	{ "Events",
	  "{\"description\":\"Server-sent events: run, delta (a JSON string "
	  "each), "
	  "usage, error (a problem), done. An id is RUN.OFFSET: what a reader has seen; it goes on "
	  "behind "
	  "it with Last-Event-ID. A comment comes when nothing else does.\",\"x-events\":{"
	  "\"run\":{\"$ref\":\"#/components/schemas/EventRun\"},\"delta\":" TEXT ","
	  "\"usage\":{\"$ref\":\"#/components/schemas/EventUsage\"},"
	  "\"error\":{\"$ref\":\"#/components/schemas/Problem\"},"
	  "\"done\":{\"$ref\":\"#/components/schemas/EventDone\"}}}" },
	{ "Chunks",
	  "{\"description\":\"The chunks of an OpenAI chat completion, then [DONE]; a failure is "
	  "{error} and no [DONE].\"}" },
	{ "Problem",
	  "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\"],"
	  "\"properties\":{\"type\":" TEXT ",\"title\":" TEXT ",\"status\":" NUMBER
	  ",\"detail\":" TEXT ",\"message\":" TEXT ",\"code\":" TEXT ",\"request_id\":" TEXT
	  ",\"retry_after\":" NUMBER ",\"violated-policies\":{\"type\":\"array\",\"items\":" TEXT
	  "},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":"
	  "{\"field\":" TEXT ",\"reason\":" TEXT "}}}}}" },
};

void schema_answers(struct json_writer *w)
{
	for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
		json_key(w, schemas[i].name);
		json_raw(w, slice_of(schemas[i].json));
	}
}
