/*
 * spool_header: the header block of a spool file, as it lies on disk and as the record that the
 * program reads. What never changes (the identity: whose answer it is) is written once, before the
 * file gets its name; how it ended comes later, word by word.
 */
#ifndef STREAM_SPOOL_HEADER_H
#define STREAM_SPOOL_HEADER_H

#include "stream/spool.h"

/* This machine's byte order, for a spool never leaves its node. `state` packs the status and, once
 * it has ended, the length into one word, so that a reader never sees one without the other. */
struct spool_disk {
	char magic[8];
	uint32_t version, identity_sum;
	uint64_t state; /* status << 56 | length */
	uint64_t saved;
	struct spool_disk_end { /* written as one */
		uint64_t asked; /* and this by itself, before */
		int64_t ended_ms, input, output, total;
		char finish_reason[32], error_word[48];
	} ending;
	/* identity */
	int64_t created_ms;
	char run_id[ID_MAX + 1], thread_id[ID_MAX + 1], message_id[ID_MAX + 1], node[ID_MAX + 1];
	char user_id[516];
	char user_key[ID_UUID_SIZE], key[ID_UUID_SIZE], question[ID_UUID_SIZE];
	char model[SPOOL_MODEL_MAX + 1];
	/* behind the identity, whose sum does not cover it: others know of no tails */
	uint32_t tail; /* spool_tail's number; 0: it has none */
};

_Static_assert(sizeof(struct spool_disk) <= SPOOL_HEADER, "the header block holds the header");

/* The header of a new file: of `begun` what is its identity. A text that is too long is cut. */
void spool_header_make(const struct spool_record *begun, struct spool_disk *out);
/* Was it written whole, by this version? */
bool spool_header_is_sound(const struct spool_disk *disk);
/* The record's identity; its texts lie in one piece of memory, which is the caller's. NULL: there
 * is none. */
char *spool_header_identity(const struct spool_disk *disk, struct spool_record *out);
/* How far it has come, but for the length of one that grows: the file's size tells that. */
void spool_header_progress(const struct spool_disk *disk, struct spool_record *out);

uint64_t spool_header_state(int64_t length, enum message_status status);
struct spool_disk_end spool_header_end(const struct spool_record *record);

#endif
