/* main: the program's only entry; everything else is a library, so that tests can link it. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
