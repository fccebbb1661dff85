/*
 * spool_file: one answer in flight: its header and its bytes.
 *
 * Everything is pwrite at known offsets, never O_APPEND: that would move header writes to the end
 * of the file.
 */
#include "spool_file.h"

#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATUS_SHIFT 56
#define LENGTH_MASK  ((UINT64_C(1) << STATUS_SHIFT) - 1)

bool spool_file_lock(int fd, enum spool_lock byte, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool spool_file_locked(int fd, enum spool_lock byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
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

bool spool_file_write_header(struct spool *spool)
{
	const struct spool_record *record = &spool->record;
	union {
		struct spool_disk disk;
		char block[SPOOL_HEADER];
	} header = { .block = { 0 } };
	struct spool_disk *disk = &header.disk;

	memcpy(disk->magic, SPOOL_MAGIC, sizeof disk->magic);
	disk->version = SPOOL_VERSION;
	disk->state = pack_state(record->length, record->status);
	disk->created_ms = record->created_ms;
	COPY_TEXT(disk->run_id, record->run_id);
	COPY_TEXT(disk->thread_id, record->thread_id);
	COPY_TEXT(disk->message_id, record->message_id);
	COPY_TEXT(disk->node, record->node);
	COPY_TEXT(disk->user_id, record->user_id);
	COPY_TEXT(disk->key, record->key);
	COPY_TEXT(disk->question, record->question);
	disk->identity_sum = identity_sum(disk);
	return write_at(spool->fd, 0, header.block, sizeof header.block);
}

static bool header_is_sound(const struct spool_disk *disk)
{
	return memcmp(disk->magic, SPOOL_MAGIC, sizeof disk->magic) == 0 &&
	       disk->version == SPOOL_VERSION && disk->identity_sum == identity_sum(disk) &&
	       disk->state >> STATUS_SHIFT < STATUS_COUNT;
}

/* The last byte of every text is ours: a damaged file cannot make one run on. */
#define TAKE_TEXT(to, from)                                                                        \
	do {                                                                                       \
		COPY_TEXT(to, from);                                                               \
		(to)[sizeof(to) - 1] = '\0';                                                       \
	} while (0)

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
	TAKE_TEXT(record->key, disk.key);
	TAKE_TEXT(record->question, disk.question);
	TAKE_TEXT(record->finish_reason, disk.finish_reason);
	TAKE_TEXT(record->usage, disk.usage);
	TAKE_TEXT(record->error_word, disk.error_word);
	record->created_ms = disk.created_ms;
	record->ended_ms = disk.ended_ms;
	record->length = (int64_t)(disk.state & LENGTH_MASK);
	record->status = (enum message_status)(disk.state >> STATUS_SHIFT);
	record->saved = disk.saved != 0;
	return true;
}

static bool write_state(struct spool *spool)
{
	uint64_t state = pack_state(spool->record.length, spool->record.status);

	return write_at(spool->fd, offsetof(struct spool_disk, state), &state, sizeof state);
}

bool spool_append(struct spool *spool, struct slice bytes, struct error *err)
{
	struct spool_record *record = &spool->record;

	if (!write_at(spool->fd, SPOOL_HEADER + record->length, bytes.ptr, bytes.len))
		return write_failed(err);
	record->length += (int64_t)bytes.len;
	if (!write_state(spool)) {
		record->length -= (int64_t)bytes.len;
		return write_failed(err);
	}
	if (spool->used)
		atomic_fetch_add(spool->used, (int64_t)bytes.len);
	return true;
}

bool spool_end(struct spool *spool, enum message_status status, const char *finish_reason,
	       const char *usage, const char *error_word, int64_t now_ms, struct error *err)
{
	struct spool_record *record = &spool->record;
	struct spool_disk disk = { .ended_ms = now_ms };
	const size_t from = offsetof(struct spool_disk, ended_ms);
	const size_t to = offsetof(struct spool_disk, created_ms);

	/* In memory it is over whatever the disk says: the saver reads the record. */
	record->status = status;
	record->ended_ms = now_ms;
	snprintf(record->finish_reason, sizeof record->finish_reason, "%s", finish_reason);
	snprintf(record->usage, sizeof record->usage, "%s", usage);
	snprintf(record->error_word, sizeof record->error_word, "%s", error_word);
	COPY_TEXT(disk.finish_reason, record->finish_reason);
	COPY_TEXT(disk.usage, record->usage);
	COPY_TEXT(disk.error_word, record->error_word);
	if (!write_at(spool->fd, (int64_t)from, (const char *)&disk + from, to - from) ||
	    !write_state(spool))
		return write_failed(err);
	return true;
}

bool spool_mark_saved(struct spool *spool, struct error *err)
{
	uint64_t saved = 1;

	if (!write_at(spool->fd, offsetof(struct spool_disk, saved), &saved, sizeof saved))
		return write_failed(err);
	spool->record.saved = true;
	return true;
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

bool spool_set_followed(struct spool *spool, bool followed)
{
	return spool_file_lock(spool->fd, SPOOL_LOCK_FOLLOWED, followed ? F_RDLCK : F_UNLCK);
}

bool spool_is_followed(const struct spool *spool)
{
	return spool_file_locked(spool->fd, SPOOL_LOCK_FOLLOWED);
}
