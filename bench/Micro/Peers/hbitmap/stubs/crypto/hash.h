/* See qemu/osdep.h: hashing is not measured. */
#define QCRYPTO_HASH_ALG_SHA256 0
#define qcrypto_hash_digest(...) ((void)0)
