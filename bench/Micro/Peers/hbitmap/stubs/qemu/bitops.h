/* See osdep.h. */
#include "qemu/osdep.h"
