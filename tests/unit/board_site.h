/* board_site: a board of its own for each test of it. */
#ifndef BOARD_SITE_H
#define BOARD_SITE_H

#include "stream/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct shm *shm;
static struct board *board;

static int set_up(void **state)
{
	(void)state;
	shm = shm_map(NULL, NULL);
	board = board_of(shm);
	return board ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	shm_unmap(shm);
	return 0;
}

#endif
