/* users_erase: `c1d users erase`: all that is a user's goes, and a receipt says what it was. */
#include "admin.h"
#include "admin/erase.h"

#include "base/clock.h"
#include "guard/revoked.h"
#include "users.h"
#include <stdio.h>

/* Who is shown the door stands there by name until an administrator takes the line out. */
static bool is_revoked(const struct config *config, const char *user_id)
{
	struct revoked_list users;
	bool found = false;

	if (!revoked_read(config->state_dir, &users, NULL))
		return false;
	for (size_t i = 0; i < users.count; i++)
		found |= strcmp(users.items[i].user_id, user_id) == 0;
	revoked_free(&users);
	return found;
}

static void print_json(struct admin *admin, const char *user_id,
		       const struct erase_receipt *receipt, const struct store_counts *left,
		       bool revoked)
{
	struct json_writer w;
	struct buffer text;

	admin_json_begin(&text, &w);
	json_put_text(&w, "receipt", receipt->id);
	json_put_text(&w, "user", user_id);
	json_put_text(&w, "store", admin->place.name);
	json_put_time(&w, "began", receipt->began_ms);
	json_put_time(&w, "ended", receipt->ended_ms);
	json_put_int(&w, "threads", receipt->threads);
	json_put_int(&w, "messages", receipt->messages);
	json_put_int(&w, "kept_answers", receipt->answers);
	json_put_int(&w, "threads_left", left->threads);
	json_put_int(&w, "messages_left", left->messages);
	json_put_bool(&w, "revoked", revoked);
	admin_json_end(&text, &w, false);
}

static void print_text(struct admin *admin, const char *user_id,
		       const struct erase_receipt *receipt, const struct store_counts *left,
		       bool revoked)
{
	char began[CLOCK_TEXT_SIZE], ended[CLOCK_TEXT_SIZE];
	struct buffer name;

	buffer_init(&name, 1u << 16);
	admin_plain(&name, slice_of(user_id), false);
	printf("receipt   %s\nuser      %.*s\nstore     %s\nbegan     %s\nended     %s\n"
	       "erased    %lld threads, %lld messages, %lld answers kept for resumes\n",
	       receipt->id, SLICE_ARG(buffer_slice(&name)), admin->place.name,
	       clock_format(receipt->began_ms, began), clock_format(receipt->ended_ms, ended),
	       (long long)receipt->threads, (long long)receipt->messages,
	       (long long)receipt->answers);
	if (left->threads > 0)
		printf("left      %lld threads, made while this ran: c1d users revoke, then "
		       "again\n",
		       (long long)left->threads);
	if (revoked)
		printf("stays     the name among those who are shown the door; c1d users restore "
		       "takes it out\n");
	buffer_done(&name);
}

static int erase(struct admin *admin, const char *user_id)
{
	struct spool_dir *spools = admin_spools(admin);
	struct erase_receipt receipt;
	struct store_counts left = { 0 };
	struct error err = { 0 };
	bool ok = erase_user(&admin->place, spools, user_id, &receipt, &err) &&
		  place_counts(&admin->place, user_id, &left, &err);
	bool revoked = is_revoked(admin->config, user_id);

	spool_dir_free(spools);
	progress_clear(&admin->progress);
	if (!ok) {
		int code = admin_failed(admin, &err);

		fprintf(stderr, "%lld threads are gone; the same command erases the rest.\n",
			(long long)receipt.threads);
		return code;
	}
	(admin->json ? print_json : print_text)(admin, user_id, &receipt, &left, revoked);
	return left.threads == 0 ? EXIT_OK : EXIT_AGAIN;
}

int users_erase(const struct config *config, int argc, char **argv)
{
	struct admin admin;
	int code;

	if (!admin_begin(&admin, config, argc, argv, &code))
		return code;
	code = admin_ask(&admin, command_has(argc, argv, "--yes"),
			 "Erase all conversations of %s? They cannot be had back.", argv[2]);
	if (code == EXIT_OK && admin_open(&admin, PLACE_WRITE, &code))
		code = erase(&admin, argv[2]);
	admin_end(&admin);
	return code;
}
