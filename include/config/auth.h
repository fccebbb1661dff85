/*
 * auth: the words of C1D_AUTH, each a way to tell who asks. guard/ has a row for each.
 */
#ifndef CONFIG_AUTH_H
#define CONFIG_AUTH_H

#define AUTH_MODES(X)                                                                              \
	X(none)     /* nobody is asked; alone only */                                              \
	X(visitor)  /* each browser is its own user, by a signed cookie; last */                   \
	X(jwt)      /* whoever an issuer's signed token names */                                   \
	X(firebase) /* the same, of a Firebase project */                                          \
	X(header)   /* whoever the web server has signed in and names */

enum auth_mode {
#define X(word) AUTH_##word,
	AUTH_MODES(X)
#undef X
		AUTH_MODE_COUNT
};

/* Of C1D_VISITOR_SECRET. Shorter ones can be guessed, more are not needed to change one for
 * another. */
#define VISITOR_SECRET_MIN  32 /* bytes */
#define VISITOR_SECRETS_MAX 8

#endif
