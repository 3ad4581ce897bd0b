/* proxy.c - proxies from the environment.
 *
 * libcurl's own rules differ from Go's: it reads no HTTP_PROXY in capitals, proxies the loopback, and matches NO_PROXY
 * without ports. So the choice is made here, and libcurl is told.
 */
#include "fetch/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* An address of either family, as its 16 bytes of IPv6. */
struct address {
	unsigned char bytes[16];
	bool is_v4;
};

static struct str environment(const char *upper, const char *lower)
{
	const char *value = getenv(upper);
	return str_of(value && *value ? value : getenv(lower));
}

static struct str trim(struct str text)
{
	while (text.length > 0 && strchr(" \t\r\n", text.data[0]))
		text = str_from(text, 1);
	while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]))
		text.length--;
	return text;
}

static bool parse_address(struct str text, struct address *ret_address)
{
	char copy[INET6_ADDRSTRLEN];
	const char *zone = memchr(text.data, '%', text.length);
	if (zone)
		text.length = (size_t)(zone - text.data);
	if (text.length >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };
	memcpy(ret_address->bytes, mapped, sizeof(mapped));
	ret_address->is_v4 = inet_pton(AF_INET, copy, ret_address->bytes + 12) == 1;
	if (ret_address->is_v4)
		return true;
	if (inet_pton(AF_INET6, copy, ret_address->bytes) != 1)
		return false;
	ret_address->is_v4 = memcmp(ret_address->bytes, mapped, sizeof(mapped)) == 0;
	return true;
}

static bool is_loopback(const struct address *address)
{
	static const unsigned char v6[16] = { [15] = 1 };
	return address->is_v4 ? address->bytes[12] == 127 : memcmp(address->bytes, v6, 16) == 0;
}

/* "ADDRESS/BITS". */
static bool parse_network(struct str text, struct address *ret_network, unsigned *ret_bits)
{
	const char *slash = memchr(text.data, '/', text.length);
	if (!slash || slash + 1 == text.data + text.length)
		return false;
	unsigned bits = 0;
	for (const char *c = slash + 1; c < text.data + text.length; c++) {
		if (*c < '0' || *c > '9' || bits > 128)
			return false;
		bits = bits * 10 + (unsigned)(*c - '0');
	}
	if (!parse_address((struct str){ text.data, (size_t)(slash - text.data) }, ret_network))
		return false;
	*ret_bits = ret_network->is_v4 ? bits + 96 : bits;
	return *ret_bits <= 128;
}

static bool network_contains(const struct address *network, unsigned bits, const struct address *address)
{
	if (network->is_v4 != address->is_v4 || memcmp(network->bytes, address->bytes, bits / 8) != 0)
		return false;
	unsigned rest = bits % 8;
	return rest == 0 || (network->bytes[bits / 8] ^ address->bytes[bits / 8]) >> (8 - rest) == 0;
}

/* "host:port" or "[address]:port"; a text with other colons than that has no port. */
static void split_port(struct str text, struct str *ret_host, struct str *ret_port)
{
	*ret_host = text;
	*ret_port = STR_LITERAL("");
	const char *colon = memrchr(text.data, ':', text.length);
	if (!colon)
		return;
	struct str host = { text.data, (size_t)(colon - text.data) };
	if (host.length >= 2 && host.data[0] == '[' && host.data[host.length - 1] == ']')
		host = (struct str){ host.data + 1, host.length - 2 };
	else if (memchr(host.data, ':', host.length))
		return;
	*ret_host = host;
	*ret_port = str_from(text, (size_t)(colon - text.data) + 1);
}

static bool equal_ignoring_case(struct str a, struct str b)
{
	return a.length == b.length && strncasecmp(a.data, b.data, a.length) == 0;
}

/* "domain" means the host and all below it; ".domain" and "*.domain" what is below only. */
static bool domain_matches(struct str domain, struct str host)
{
	if (str_starts_with(domain, STR_LITERAL("*.")))
		domain = str_from(domain, 1);
	if (domain.length == 0)
		return false;
	if (domain.data[0] != '.') {
		if (equal_ignoring_case(domain, host))
			return true;
		if (host.length <= domain.length || host.data[host.length - domain.length - 1] != '.')
			return false;
	}
	return host.length >= domain.length && equal_ignoring_case(str_from(host, host.length - domain.length), domain);
}

/* One entry of NO_PROXY; `address` is NULL if the host is a name. */
static bool entry_matches(struct str entry, struct str host, struct str port, const struct address *address)
{
	struct address network;
	unsigned bits;
	if (str_equal(entry, STR_LITERAL("*")))
		return true;
	if (parse_network(entry, &network, &bits))
		return address && network_contains(&network, bits, address);
	struct str entry_host, entry_port;
	split_port(entry, &entry_host, &entry_port);
	bool port_fits = entry_port.length == 0 || str_equal(entry_port, port);
	if (parse_address(entry_host, &network))
		return address && port_fits && network_contains(&network, 128, address);
	return !address && port_fits && domain_matches(entry_host, host);
}

static bool bypasses_proxy(const struct url *url)
{
	struct str host = url_host_name(url), port = url_port(url);
	struct address address;
	bool is_address = parse_address(host, &address);
	if (host.length == 0 || str_equal(host, STR_LITERAL("localhost")) || (is_address && is_loopback(&address)))
		return true;
	if (port.length == 0)
		port = strcmp(url->scheme, "http") == 0 ? STR_LITERAL("80") : STR_LITERAL("443");
	struct str list = environment("NO_PROXY", "no_proxy");
	for (bool more = true; more;) {
		const char *comma = memchr(list.data, ',', list.length);
		struct str entry = { list.data, comma ? (size_t)(comma - list.data) : list.length };
		more = comma != NULL;
		list = str_from(list, more ? entry.length + 1 : entry.length);
		entry = trim(entry);
		if (entry.length > 0 && entry_matches(entry, host, port, is_address ? &address : NULL))
			return true;
	}
	return false;
}

/* The value as a URL, with http:// in front if it is none; NULL if it is nonsense, which counts as no proxy. */
static char *proxy_url(struct str value)
{
	struct url url;
	bool good = url_parse(value, &url);
	if (good && (!*url.scheme || !*url.host)) {
		url_release(&url);
		good = false;
	}
	if (!good) {
		char *text = xasprintf("http://%.*s", STR_ARG(value));
		good = url_parse(str_of(text), &url);
		free(text);
	}
	if (!good)
		return NULL;
	/* Go lets a SOCKS proxy look names up; that is libcurl's socks5h. */
	if (strcmp(url.scheme, "socks5") == 0) {
		free(url.scheme);
		url.scheme = xstrdup("socks5h");
	}
	char *result = *url.host ? url_text(&url, false) : NULL;
	url_release(&url);
	return result;
}

enum status proxy_for_url(const struct url *url, char **ret_proxy, struct error *err)
{
	bool is_https = strcmp(url->scheme, "http") != 0;
	struct str value = is_https ? environment("HTTPS_PROXY", "https_proxy") : environment("HTTP_PROXY", "http_proxy");
	char *proxy = value.length > 0 ? proxy_url(value) : NULL;
	const char *cgi = getenv("REQUEST_METHOD");
	if (proxy && !is_https && cgi && *cgi) {
		free(proxy);
		return error_set(
				err, STATUS_INVALID,
				"refusing to use HTTP_PROXY value in CGI environment: a client's header may have set it; unset "
				"REQUEST_METHOD");
	}
	if (proxy && bypasses_proxy(url)) {
		free(proxy);
		proxy = NULL;
	}
	*ret_proxy = proxy;
	return STATUS_OK;
}
