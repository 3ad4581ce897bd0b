/* tls.c - the TLS options' files. */
#include "fetch/tls.h"

#include "fetch/file.h"

/* No bundle of certificates is larger. */
#define PEM_CEILING ((size_t)16 * 1024 * 1024)

static bool given(const char *option)
{
	return option && *option;
}

static bool has_pem_block(struct str text, const char *type)
{
	for (;;) {
		const char *begin = memmem(text.data, text.length, "-----BEGIN ", 11);
		if (!begin)
			return false;
		text = str_from(text, (size_t)(begin - text.data) + 11);
		const char *end = memchr(text.data, '\n', text.length);
		struct str line = { text.data, end ? (size_t)(end - text.data) : text.length };
		if (memmem(line.data, line.length, type, strlen(type)))
			return true;
	}
}

/* Reads the file; `type`, unless NULL, must be the kind of one of its blocks. */
static enum status check_pem(const char *path, const char *type, const char *what, struct error *err)
{
	struct buffer content;
	buffer_init(&content, PEM_CEILING);
	enum status status = file_read(path, &content, err);
	if (status == STATUS_OK && type && !has_pem_block(buffer_str(&content), type))
		status = error_set(err, STATUS_FORMAT, "tls: failed to find any PEM data in %s input", what);
	buffer_release(&content);
	return status;
}

enum status tls_files_check(const struct fetch_options *options, struct error *err)
{
	if (given(options->tls_key) && !given(options->tls_cert))
		return error_set(err, STATUS_INVALID, "-tls_key is specified, so -tls_cert must also be specified");
	if (given(options->tls_cert) && !given(options->tls_key))
		return error_set(err, STATUS_INVALID, "-tls_cert is specified, so -tls_key must also be specified");
	enum status status = STATUS_OK;
	if (given(options->tls_cert)) {
		status = check_pem(options->tls_cert, "CERTIFICATE", "certificate", err);
		if (status == STATUS_OK)
			status = check_pem(options->tls_key, "PRIVATE KEY", "key", err);
		if (status != STATUS_OK)
			error_prefix(err, TLS_PAIR_FAILURE);
	}
	if (status == STATUS_OK && given(options->tls_ca)) {
		status = check_pem(options->tls_ca, NULL, NULL, err);
		if (status != STATUS_OK)
			error_prefix(err, TLS_CA_FAILURE);
	}
	return status;
}
