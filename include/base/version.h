/* version: of this program, in one place. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define C1D_VERSION "0.1.0"

#endif
