/* tls.h - checks of the files behind -tls_cert, -tls_key and -tls_ca. */
#ifndef CPPROF_FETCH_TLS_H
#define CPPROF_FETCH_TLS_H

#include "base/status.h"
#include "fetch/fetch.h"

/* That certificate and key come together and can be read, and the CA, too: checked for every URL, whatever its scheme.
 * Whether they fit together is seen by the TLS library. */
enum status tls_files_check(const struct fetch_options *options, struct error *err) CPPROF_MUST_USE;

#define TLS_PAIR_FAILURE "could not load certificate/key pair specified by -tls_cert and -tls_key: "
#define TLS_CA_FAILURE "could not load CA specified by -tls_ca: "

#endif
