/*
 * jose_roca: see jose_roca.h.
 *
 * Its primes were k * M + (65537^a mod M), M being the product of the first primes. So modulo each
 * of these the modulus is a power of 65537 (Nemec et al., "The Return of Coppersmith's Attack",
 * 2017). Of other moduli one in 2^27 is that by chance.
 */
#include "jose_roca.h"

/* Those of which not every remainder is a power of 65537, up to what the smallest keys used. */
static const unsigned char primes[] = { 11, 13, 17,  19,  37,  53,  61,  71, 73,
					79, 97, 103, 107, 109, 127, 151, 157 };

static bool is_power(unsigned remainder, unsigned prime)
{
	unsigned power = 1;

	do {
		if (power == remainder)
			return true;
		power = power * (65537 % prime) % prime;
	} while (power != 1);
	return false;
}

bool jose_roca_is(const BIGNUM *modulus)
{
	for (size_t i = 0; i < sizeof primes; i++)
		if (!is_power((unsigned)BN_mod_word(modulus, primes[i]), primes[i]))
			return false;
	return true;
}
