/* proxy.h - which proxy a URL is fetched through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY by Go's rules. */
#ifndef CPPROF_FETCH_PROXY_H
#define CPPROF_FETCH_PROXY_H

#include "base/status.h"
#include "fetch/url.h"

/* *ret_proxy becomes the proxy's URL for libcurl (the caller frees it), or NULL for none. Fails for an HTTP_PROXY in a
 * CGI program, where a client's header can have set it. */
enum status proxy_for_url(const struct url *url, char **ret_proxy, struct error *err) CPPROF_MUST_USE;

#endif
