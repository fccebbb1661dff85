/*
 * spool_file: one answer in flight: its file.
 *
 * Everything is pwrite at known offsets, never O_APPEND: that would move header writes to the end
 * of the file.
 */
#include "spool_file.h"

#include "base/crashpoint.h"
#include "base/log.h"
#include "base/utf8.h"
#include "spool_header.h"
#include "spool_tails.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct spool {
	atomic_int refs;
	int fd;
	bool owes_end;         /* the disk did not take how it ended */
	_Atomic int64_t *used; /* the folder's bytes, as far as known; NULL for a reader */
	_Atomic int64_t *held; /* of one without a name: what all of them hold; else NULL */
	int64_t holds;         /* of that */
	struct spool_tail tail;
	char *texts; /* of the record's identity; NULL: it is not known yet */
	struct spool_record record;
};

/* Byte 0 is the owner's. */
static const struct flock owners_lock = {
	.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1
};

bool spool_file_lock_fd(int fd)
{
	struct flock lock = owners_lock;

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool spool_file_lock(const struct spool *spool)
{
	return spool_file_lock_fd(spool->fd);
}

bool spool_file_is_locked(const struct spool *spool)
{
	struct flock lock = owners_lock;

	return fcntl(spool->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

struct spool *spool_file_wrap(int fd, _Atomic int64_t *used, struct spool_tails *tails)
{
	struct spool *spool = calloc(1, sizeof *spool);

	if (!spool)
		return NULL;
	atomic_init(&spool->refs, 1);
	spool->fd = fd;
	spool->used = used;
	spool->tail.all = tails;
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
	if (spool->held)
		atomic_fetch_sub(spool->held, spool->holds);
	free(spool->texts);
	free(spool);
}

void spool_file_holds(struct spool *spool, _Atomic int64_t *held, int64_t bytes)
{
	spool->held = held;
	spool->holds = bytes;
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

/* One behind the other. */
static bool write_both(int fd, int64_t offset, struct slice first, struct slice second)
{
	const struct iovec parts[] = { { (void *)first.ptr, first.len },
				       { (void *)second.ptr, second.len } };
	ssize_t n = first.len && second.len ? pwritev(fd, parts, 2, offset) : 0;
	size_t done = n > 0 ? (size_t)n : 0;

	/* What it did not take is tried by itself, or says why not. */
	if (done < first.len) {
		if (!write_at(fd, offset + (int64_t)done, first.ptr + done, first.len - done))
			return false;
		done = first.len;
	}
	second = slice_skip(second, done - first.len);
	return write_at(fd, offset + (int64_t)done, second.ptr, second.len);
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

/* Of an identity, once: nothing in it changes. */
static bool take_identity(struct spool *spool, const struct spool_disk *disk)
{
	if (spool->texts)
		return true;
	spool->texts = spool_header_identity(disk, &spool->record);
	if (spool->texts)
		spool_tail_find(&spool->tail, disk->tail, spool->record.run_id);
	return spool->texts != NULL;
}

bool spool_file_begin(struct spool *spool, const struct spool_record *begun)
{
	union {
		struct spool_disk disk;
		char block[SPOOL_HEADER];
	} header = { .block = { 0 } };

	spool_header_make(begun, &header.disk);
	spool_tail_take(&spool->tail, begun->run_id);
	header.disk.tail = spool->tail.number;
	spool_header_progress(&header.disk, &spool->record);
	return take_identity(spool, &header.disk) && spool_file_lock(spool) &&
	       write_at(spool->fd, 0, header.block, sizeof header.block);
}

static int64_t length_by_size(const struct spool *spool)
{
	struct stat is;

	return fstat(spool->fd, &is) == 0 && is.st_size > SPOOL_HEADER
		       ? (int64_t)is.st_size - SPOOL_HEADER
		       : 0;
}

/* Of an answer that grows. A tail that does not begin where the file ends, or before, is one whose
 * answer lost something with the machine's power. */
static int64_t length_by_now(const struct spool *spool)
{
	int64_t in_file = 0, length = 0, by_size;
	bool has_tail = spool_tail_lengths(&spool->tail, &in_file, &length);

	by_size = length_by_size(spool); /* behind it: a tail that is gone is in the file */
	return has_tail && in_file <= by_size && by_size < length ? length : by_size;
}

bool spool_refresh(struct spool *spool, struct error *err)
{
	struct spool_record *record = &spool->record;
	struct spool_disk disk;

	if (!read_at(spool->fd, 0, &disk, sizeof disk) || !spool_header_is_sound(&disk))
		return error_set(err, ERROR_CORRUPT, "The kept answer is damaged.");
	if (!take_identity(spool, &disk))
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	spool_header_progress(&disk, record);
	if (record->status == STATUS_STREAMING)
		record->length = length_by_now(spool);
	return true;
}

static bool write_word(struct spool *spool, size_t at, uint64_t word)
{
	return write_at(spool->fd, (int64_t)at, &word, sizeof word);
}

/* The tail, and these bytes behind it. */
static bool write_behind(struct spool *spool, struct slice bytes)
{
	struct slice tail = spool_tail_text(&spool->tail);
	int64_t in_file = spool->record.length, length;

	spool_tail_lengths(&spool->tail, &in_file, &length);
	if (tail.len + bytes.len == 0)
		return true;
	/* Half of it may be there, and readers go by the size. */
	if (!write_both(spool->fd, SPOOL_HEADER + in_file, tail, bytes)) {
		if (ftruncate(spool->fd, SPOOL_HEADER + in_file) != 0)
			log_warn("spool file not cut", LOG_T("run", spool->record.run_id));
		return false;
	}
	CRASHPOINT("tail_written");
	spool_tail_written(&spool->tail, in_file + (int64_t)(tail.len + bytes.len));
	return true;
}

static bool write_tail(struct spool *spool)
{
	return write_behind(spool, (struct slice){ "", 0 });
}

bool spool_append(struct spool *spool, struct slice bytes, struct error *err)
{
	struct spool_record *record = &spool->record;

	if (!spool_tail_put(&spool->tail, bytes) && !write_behind(spool, bytes))
		return write_failed(err);
	record->length += (int64_t)bytes.len;
	/* What is put is kept; if it is not written now, then with what follows. */
	if (spool_tail_is_asked(&spool->tail))
		write_tail(spool);
	if (spool->used)
		atomic_fetch_add(spool->used, (int64_t)bytes.len);
	return true;
}

bool spool_mark_asked(struct spool *spool, struct error *err)
{
	if (!write_word(spool, offsetof(struct spool_disk, ending.asked), 1))
		return write_failed(err);
	spool->record.asked = true;
	return true;
}

static bool write_end(struct spool *spool)
{
	const struct spool_record *record = &spool->record;
	const struct spool_disk_end ending = spool_header_end(record);
	uint64_t state = spool_header_state(record->length, record->status);

	return write_at(spool->fd, offsetof(struct spool_disk, ending), &ending, sizeof ending) &&
	       write_word(spool, offsetof(struct spool_disk, state), state);
}

/* What is left of the text, then how it ended: its tail's place is free. */
static bool write_last(struct spool *spool)
{
	if (!write_tail(spool) || !write_end(spool))
		return false;
	spool_tail_give(&spool->tail);
	return true;
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
	spool->owes_end = !write_last(spool);
	return !spool->owes_end || write_failed(err);
}

/* What is saved has ended: a reader who found one that has not would wait for its rest. */
bool spool_file_mark_saved(struct spool *spool, struct error *err)
{
	if ((spool->owes_end && !write_last(spool)) ||
	    !write_word(spool, offsetof(struct spool_disk, saved), 1))
		return write_failed(err);
	spool->owes_end = false;
	spool->record.saved = true;
	return true;
}

void spool_file_ask(const struct spool *spool)
{
	spool_tail_ask(&spool->tail);
}

void spool_file_take_tail(struct spool *spool)
{
	int64_t in_file, length, by_size = length_by_size(spool);

	if (!spool_tail_lengths(&spool->tail, &in_file, &length))
		return;
	if (in_file <= by_size && by_size < length)
		write_tail(spool);
	else
		spool_tail_written(&spool->tail, by_size);
}

void spool_file_drop_tail(struct spool *spool)
{
	spool_tail_give(&spool->tail);
}

uint32_t spool_file_tail(const struct spool *spool)
{
	return spool->tail.number;
}

int64_t spool_file_present(const struct spool *spool)
{
	int64_t by_size = length_by_size(spool), length = spool->record.length;

	return spool->record.status == STATUS_STREAMING || length < by_size ? length : by_size;
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

/* From the file as far as it goes, then from the tail; which moves on to the file meanwhile. */
static int64_t read_part(const struct spool *spool, int64_t offset, char *out, size_t size)
{
	int64_t in_file, length, n;

	while (spool_tail_lengths(&spool->tail, &in_file, &length)) {
		if (offset >= length)
			break; /* it is in the file, and its tail says so in a moment */
		if (offset < in_file) {
			if ((int64_t)size > in_file - offset)
				size = (size_t)(in_file - offset);
			break;
		}
		if ((n = spool_tail_read(&spool->tail, offset, out, size)) > 0)
			return n;
	}
	return read_at(spool->fd, SPOOL_HEADER + offset, out, size) ? (int64_t)size : -1;
}

int64_t spool_read(const struct spool *spool, int64_t offset, char *out, size_t size)
{
	int64_t left = spool->record.length - offset, n;
	size_t done = 0;

	if (left <= 0)
		return 0;
	if ((int64_t)size > left)
		size = (size_t)left;
	for (; done < size; done += (size_t)n)
		if ((n = read_part(spool, offset + (int64_t)done, out + done, size - done)) < 0)
			return -1;
	return (int64_t)size;
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
