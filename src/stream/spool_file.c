/*
 * spool_file: one answer in flight: its header and its bytes.
 *
 * Everything is pwrite at known offsets, never O_APPEND: that would move header writes to the end
 * of the file.
 */
#include "spool_file.h"

#include "base/log.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        "C1DSPOOL"
#define VERSION      2
#define STATUS_SHIFT 56
#define LENGTH_MASK  ((UINT64_C(1) << STATUS_SHIFT) - 1)

/* The header as it lies on disk: this machine's byte order, for a spool never leaves its node.
 * `state` packs the status and, once it has ended, the length into one word, so that a reader never
 * sees one without the other. */
struct spool_disk {
	char magic[8];
	uint32_t version, identity_sum;
	uint64_t state; /* status << 56 | length */
	uint64_t saved, asked;
	struct ending {
		int64_t ended_ms, input, output, total;
		char finish_reason[32], error_word[48];
	} ending;
	/* identity: written once, before the file gets its name */
	int64_t created_ms;
	char run_id[ID_MAX + 1], thread_id[ID_MAX + 1], message_id[ID_MAX + 1], node[ID_MAX + 1];
	char user_id[516];
	char user_key[ID_UUID_SIZE], key[ID_UUID_SIZE], question[ID_UUID_SIZE];
	char model[SPOOL_MODEL_MAX + 1];
};

_Static_assert(sizeof(struct spool_disk) <= SPOOL_HEADER, "the header block holds the header");

struct spool {
	atomic_int refs;
	int fd;
	struct spool_record record;
	_Atomic int64_t *used; /* the folder's bytes, as far as known; NULL for a reader */
	bool owes_end;         /* the disk did not take how it ended */
};

/* Byte 0 is the owner's. */
static const struct flock owners_lock = {
	.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1
};

bool spool_file_lock(const struct spool *spool)
{
	struct flock lock = owners_lock;

	return fcntl(spool->fd, F_OFD_SETLK, &lock) == 0;
}

bool spool_file_is_locked(const struct spool *spool)
{
	struct flock lock = owners_lock;

	return fcntl(spool->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

struct spool *spool_file_wrap(int fd, _Atomic int64_t *used)
{
	struct spool *spool = calloc(1, sizeof *spool);

	if (!spool)
		return NULL;
	atomic_init(&spool->refs, 1);
	spool->fd = fd;
	spool->used = used;
	return spool;
}

struct spool *spool_ref(struct spool *spool)
{
	atomic_fetch_add(&spool->refs, 1);
	return spool;
}

void spool_unref(struct spool *spool)
{
	if (!spool || atomic_fetch_sub(&spool->refs, 1) != 1)
		return;
	close(spool->fd);
	free(spool);
}

const struct spool_record *spool_record(const struct spool *spool)
{
	return &spool->record;
}

static bool write_at(int fd, int64_t offset, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_at(int fd, int64_t offset, void *bytes, size_t len)
{
	char *at = bytes;

	while (len > 0) {
		ssize_t n = pread(fd, at, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_failed(struct error *err)
{
	return error_set(err, ERROR_SPOOL, "The answer could not be kept; try again later.");
}

/* FNV-1a over what never changes: tells a header that reached the disk from one that a power loss
 * left half. */
static uint32_t identity_sum(const struct spool_disk *disk)
{
	const unsigned char *at = (const unsigned char *)&disk->created_ms;
	const unsigned char *end = (const unsigned char *)disk + sizeof *disk;
	uint32_t sum = 2166136261u;

	for (; at < end; at++)
		sum = (sum ^ *at) * 16777619u;
	return sum;
}

static uint64_t pack_state(int64_t length, enum message_status status)
{
	return (uint64_t)status << STATUS_SHIFT | (uint64_t)length;
}

/* memcpy of whole arrays: the record's texts are zero-filled to their ends. */
#define COPY_TEXT(to, from)                                                                        \
	do {                                                                                       \
		_Static_assert(sizeof(to) == sizeof(from), "the record mirrors the disk");         \
		memcpy((to), (from), sizeof(to));                                                  \
	} while (0)

bool spool_file_begin(struct spool *spool, const struct spool_record *begun)
{
	struct spool_record *record = &spool->record;
	union {
		struct spool_disk disk;
		char block[SPOOL_HEADER];
	} header = { .block = { 0 } };
	struct spool_disk *disk = &header.disk;

	*record = *begun;
	record->status = STATUS_STREAMING;
	record->length = 0;
	record->usage = USAGE_UNKNOWN;
	record->asked = record->saved = false;
	memcpy(disk->magic, MAGIC, sizeof disk->magic);
	disk->version = VERSION;
	disk->state = pack_state(0, STATUS_STREAMING);
	disk->created_ms = record->created_ms;
	COPY_TEXT(disk->run_id, record->run_id);
	COPY_TEXT(disk->thread_id, record->thread_id);
	COPY_TEXT(disk->message_id, record->message_id);
	COPY_TEXT(disk->node, record->node);
	COPY_TEXT(disk->user_id, record->user_id);
	COPY_TEXT(disk->user_key, record->user_key);
	COPY_TEXT(disk->key, record->key);
	COPY_TEXT(disk->question, record->question);
	COPY_TEXT(disk->model, record->model);
	disk->identity_sum = identity_sum(disk);
	return spool_file_lock(spool) && write_at(spool->fd, 0, header.block, sizeof header.block);
}

static bool header_is_sound(const struct spool_disk *disk)
{
	return memcmp(disk->magic, MAGIC, sizeof disk->magic) == 0 && disk->version == VERSION &&
	       disk->identity_sum == identity_sum(disk) &&
	       disk->state >> STATUS_SHIFT < STATUS_COUNT;
}

/* The last byte of every text is ours: a damaged file cannot make one run on. */
#define TAKE_TEXT(to, from)                                                                        \
	do {                                                                                       \
		COPY_TEXT(to, from);                                                               \
		(to)[sizeof(to) - 1] = '\0';                                                       \
	} while (0)

/* Of an answer that grows the file's size tells. */
static int64_t length_of(const struct spool *spool, uint64_t state)
{
	struct stat is;

	if (state >> STATUS_SHIFT != STATUS_STREAMING)
		return (int64_t)(state & LENGTH_MASK);
	return fstat(spool->fd, &is) == 0 && is.st_size > SPOOL_HEADER
		       ? (int64_t)is.st_size - SPOOL_HEADER
		       : 0;
}

bool spool_refresh(struct spool *spool, struct error *err)
{
	struct spool_record *record = &spool->record;
	struct spool_disk disk;

	if (!read_at(spool->fd, 0, &disk, sizeof disk) || !header_is_sound(&disk))
		return error_set(err, ERROR_CORRUPT, "The kept answer is damaged.");
	TAKE_TEXT(record->run_id, disk.run_id);
	TAKE_TEXT(record->thread_id, disk.thread_id);
	TAKE_TEXT(record->message_id, disk.message_id);
	TAKE_TEXT(record->node, disk.node);
	TAKE_TEXT(record->user_id, disk.user_id);
	TAKE_TEXT(record->user_key, disk.user_key);
	TAKE_TEXT(record->key, disk.key);
	TAKE_TEXT(record->question, disk.question);
	TAKE_TEXT(record->model, disk.model);
	TAKE_TEXT(record->finish_reason, disk.ending.finish_reason);
	TAKE_TEXT(record->error_word, disk.ending.error_word);
	record->usage = USAGE_UNKNOWN;
	record->status = (enum message_status)(disk.state >> STATUS_SHIFT);
	if (record->status != STATUS_STREAMING)
		record->usage =
			(struct usage){ disk.ending.input, disk.ending.output, disk.ending.total };
	record->created_ms = disk.created_ms;
	record->ended_ms = disk.ending.ended_ms;
	record->length = length_of(spool, disk.state);
	record->asked = disk.asked != 0;
	record->saved = disk.saved != 0;
	return true;
}

static bool write_word(struct spool *spool, size_t at, uint64_t word)
{
	return write_at(spool->fd, (int64_t)at, &word, sizeof word);
}

bool spool_append(struct spool *spool, struct slice bytes, struct error *err)
{
	struct spool_record *record = &spool->record;

	if (!write_at(spool->fd, SPOOL_HEADER + record->length, bytes.ptr, bytes.len)) {
		/* Half of it may be there, and readers go by the size. */
		if (ftruncate(spool->fd, SPOOL_HEADER + record->length) != 0)
			log_warn("spool file not cut", LOG_T("run", record->run_id));
		return write_failed(err);
	}
	record->length += (int64_t)bytes.len;
	if (spool->used)
		atomic_fetch_add(spool->used, (int64_t)bytes.len);
	return true;
}

bool spool_mark_asked(struct spool *spool, struct error *err)
{
	if (!write_word(spool, offsetof(struct spool_disk, asked), 1))
		return write_failed(err);
	spool->record.asked = true;
	return true;
}

static bool write_end(struct spool *spool)
{
	const struct spool_record *record = &spool->record;
	const struct usage *usage = &record->usage;
	struct ending ending = { record->ended_ms, usage->input, usage->output, usage->total,
				 .finish_reason = "" };
	uint64_t state = pack_state(record->length, record->status);

	COPY_TEXT(ending.finish_reason, record->finish_reason);
	COPY_TEXT(ending.error_word, record->error_word);
	return write_at(spool->fd, offsetof(struct spool_disk, ending), &ending, sizeof ending) &&
	       write_word(spool, offsetof(struct spool_disk, asked), record->asked) &&
	       write_word(spool, offsetof(struct spool_disk, state), state);
}

bool spool_end(struct spool *spool, const struct spool_ending *how, struct error *err)
{
	struct spool_record *record = &spool->record;

	/* In memory it is over whatever the disk says: the saver reads the record. */
	record->status = how->status;
	record->ended_ms = how->now_ms;
	record->usage = how->usage;
	record->asked = how->asked;
	snprintf(record->finish_reason, sizeof record->finish_reason, "%s",
		 how->finish_reason ? how->finish_reason : "");
	snprintf(record->error_word, sizeof record->error_word, "%s",
		 how->error_word ? how->error_word : "");
	spool->owes_end = !write_end(spool);
	return !spool->owes_end || write_failed(err);
}

/* What is saved has ended: a reader who found one that has not would wait for its rest. */
bool spool_file_mark_saved(struct spool *spool, struct error *err)
{
	if ((spool->owes_end && !write_end(spool)) ||
	    !write_word(spool, offsetof(struct spool_disk, saved), 1))
		return write_failed(err);
	spool->owes_end = false;
	spool->record.saved = true;
	return true;
}

void spool_file_set_length(struct spool *spool, int64_t length)
{
	spool->record.length = length;
}

bool spool_sync(struct spool *spool, struct error *err)
{
	if (fdatasync(spool->fd) != 0)
		return write_failed(err);
	return true;
}

int64_t spool_read(const struct spool *spool, int64_t offset, char *out, size_t size)
{
	int64_t left = spool->record.length - offset;

	if (left <= 0)
		return 0;
	if ((int64_t)size > left)
		size = (size_t)left;
	return read_at(spool->fd, SPOOL_HEADER + offset, out, size) ? (int64_t)size : -1;
}

/* After a power loss the file may be longer than what reached the disk: the rest reads as NULs,
 * which no answer has. */
static size_t sound_length(struct slice text)
{
	while (text.len > 0 && text.ptr[text.len - 1] == '\0')
		text.len--;
	return text.len - utf8_partial_tail(text);
}

bool spool_read_all(const struct spool *spool, struct buffer *out)
{
	size_t length = (size_t)spool->record.length;
	char *room = buffer_reserve(out, length);

	if (!room || (length > 0 && spool_read(spool, 0, room, length) != (int64_t)length))
		return false;
	buffer_commit(out, sound_length((struct slice){ room, length }));
	return true;
}
