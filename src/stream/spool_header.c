/* spool_header: see spool_header.h. */
#include "spool_header.h"

#include <stddef.h>
#include <stdlib.h>

#define MAGIC        "C1DSPOOL"
#define VERSION      2
#define STATUS_SHIFT 56
#define LENGTH_MASK  ((UINT64_C(1) << STATUS_SHIFT) - 1)

/* The identity's texts: where each lies in the record and on the disk. */
static const struct text {
	size_t in_record, on_disk, size;
} texts[] = {
#define TEXT(name)                                                                                 \
	{                                                                                          \
		offsetof(struct spool_record, name), offsetof(struct spool_disk, name),            \
			sizeof((struct spool_disk *)NULL)->name                                    \
	}
	TEXT(run_id), TEXT(thread_id), TEXT(message_id), TEXT(node),  TEXT(user_id),
	TEXT(key),    TEXT(user_key),  TEXT(question),   TEXT(model),
#undef TEXT
};

#define TEXTS (sizeof texts / sizeof *texts)

static const char **in_record(const struct text *text, const struct spool_record *record)
{
	return (const char **)((char *)record + text->in_record);
}

/* The last byte of every text is ours: a damaged file cannot make one run on. */
static struct slice on_disk(const struct text *text, const struct spool_disk *disk)
{
	const char *at = (const char *)disk + text->on_disk;

	return (struct slice){ at, strnlen(at, text->size - 1) };
}

/* FNV-1a over what never changes: tells a header that reached the disk from one that a power loss
 * left half. */
static uint32_t identity_sum(const struct spool_disk *disk)
{
	const unsigned char *at = (const unsigned char *)&disk->created_ms;
	const unsigned char *end = (const unsigned char *)&disk->tail;
	uint32_t sum = 2166136261u;

	while (at < end)
		sum = (sum ^ *at++) * 16777619u;
	return sum;
}

uint64_t spool_header_state(int64_t length, enum message_status status)
{
	return (uint64_t)status << STATUS_SHIFT | (uint64_t)length;
}

void spool_header_make(const struct spool_record *begun, struct spool_disk *out)
{
	memset(out, 0, sizeof *out);
	memcpy(out->magic, MAGIC, sizeof out->magic);
	out->version = VERSION;
	out->state = spool_header_state(0, STATUS_STREAMING);
	out->created_ms = begun->created_ms;
	for (size_t i = 0; i < TEXTS; i++) {
		struct slice text = slice_of(*in_record(&texts[i], begun));

		if (text.len >= texts[i].size)
			text.len = texts[i].size - 1;
		memcpy((char *)out + texts[i].on_disk, text.ptr, text.len);
	}
	out->identity_sum = identity_sum(out);
}

bool spool_header_is_sound(const struct spool_disk *disk)
{
	return memcmp(disk->magic, MAGIC, sizeof disk->magic) == 0 && disk->version == VERSION &&
	       disk->identity_sum == identity_sum(disk) &&
	       disk->state >> STATUS_SHIFT < STATUS_COUNT;
}

char *spool_header_identity(const struct spool_disk *disk, struct spool_record *out)
{
	size_t total = 0;
	char *memory, *at;

	for (size_t i = 0; i < TEXTS; i++)
		total += on_disk(&texts[i], disk).len + 1;
	at = memory = malloc(total);
	if (!memory)
		return NULL;
	for (size_t i = 0; i < TEXTS; i++) {
		struct slice text = on_disk(&texts[i], disk);

		memcpy(at, text.ptr, text.len);
		at[text.len] = '\0';
		*in_record(&texts[i], out) = at;
		at += text.len + 1;
	}
	out->created_ms = disk->created_ms;
	return memory;
}

/* Texts of the same size on both sides, ours to the last byte. */
#define TAKE_TEXT(to, from)                                                                        \
	do {                                                                                       \
		_Static_assert(sizeof(to) == sizeof(from), "the record mirrors the disk");         \
		memcpy((to), (from), sizeof(to));                                                  \
		(to)[sizeof(to) - 1] = '\0';                                                       \
	} while (0)

void spool_header_progress(const struct spool_disk *disk, struct spool_record *out)
{
	const struct spool_disk_end *ending = &disk->ending;

	TAKE_TEXT(out->finish_reason, ending->finish_reason);
	TAKE_TEXT(out->error_word, ending->error_word);
	out->status = (enum message_status)(disk->state >> STATUS_SHIFT);
	out->usage = USAGE_UNKNOWN;
	if (out->status != STATUS_STREAMING) {
		out->usage = (struct usage){ ending->input, ending->output, ending->total };
		out->length = (int64_t)(disk->state & LENGTH_MASK);
	}
	out->ended_ms = ending->ended_ms;
	out->asked = ending->asked != 0;
	/* A reader's copy may be of the moment between the two; who waits for the end waits on. */
	out->saved = disk->saved != 0 && out->status != STATUS_STREAMING;
}

struct spool_disk_end spool_header_end(const struct spool_record *record)
{
	const struct usage *usage = &record->usage;
	struct spool_disk_end ending = { record->asked, record->ended_ms, usage->input,
					 usage->output, usage->total,     .finish_reason = "" };

	TAKE_TEXT(ending.finish_reason, record->finish_reason);
	TAKE_TEXT(ending.error_word, record->error_word);
	return ending;
}
