/* tls.c - the one thread-local object of the runtime. */
#include "runtime/shared/tls.h"

__thread struct tls tls __attribute__((tls_model("initial-exec")));
