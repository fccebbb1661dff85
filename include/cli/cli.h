/*
 * cli: the sub-commands of c1d, through one table. Exit codes: 0 ok, 1 failed, 2 usage, 69 store or
 * upstream unavailable, 78 a bad setting (sysexits.h).
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

int cli_main(int argc, char **argv);

#endif
