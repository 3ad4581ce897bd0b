/* own_libc.c - formatting and sorting without libc: no locale, no lock, no allocation. */
#include "runtime/shared/own_libc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sink {
	char *to;
	size_t size;   /* with the zero byte */
	size_t length; /* that it would have without a limit */
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->to[sink->length] = c;
	sink->length++;
}

struct directive {
	bool left, zero;
	int width;
	int precision; /* -1 = none */
	int longs;     /* 0 int, 1 or more: 64 bits */
};

static void put_padded(struct sink *sink, const struct directive *how, const char *text, size_t length, char sign)
{
	size_t total = length + (sign != 0), width = how->width > 0 ? (size_t)how->width : 0;
	size_t fill = width > total ? width - total : 0;
	bool zeros = how->zero && !how->left;
	if (!how->left && !zeros)
		for (; fill; fill--)
			put(sink, ' ');
	if (sign)
		put(sink, sign);
	if (zeros)
		for (; fill; fill--)
			put(sink, '0');
	for (size_t i = 0; i < length; i++)
		put(sink, text[i]);
	for (; fill; fill--)
		put(sink, ' ');
}

static void put_number(struct sink *sink, const struct directive *how, uint64_t value, unsigned base, bool upper,
                       char sign)
{
	char digits[32];
	size_t at = sizeof(digits);
	do {
		unsigned digit = (unsigned)(value % base);
		digits[--at] = (char)(digit < 10 ? '0' + (int)digit : (upper ? 'A' : 'a') + (int)digit - 10);
		value /= base;
	} while (value);
	put_padded(sink, how, digits + at, sizeof(digits) - at, sign);
}

static const char *read_directive(const char *format, struct directive *ret_how, va_list *args)
{
	*ret_how = (struct directive){ .precision = -1 };
	for (;; format++) {
		if (*format == '-')
			ret_how->left = true;
		else if (*format == '0')
			ret_how->zero = true;
		else
			break;
	}
	int *number = &ret_how->width;
	for (;; format++) {
		if (*format == '*') {
			*number = va_arg(*args, int);
		} else if (*format >= '0' && *format <= '9') {
			*number = *number * 10 + (*format - '0');
		} else if (*format == '.') {
			number = &ret_how->precision;
			*number = 0;
		} else {
			break;
		}
	}
	for (; *format == 'l' || *format == 'z' || *format == 'j' || *format == 't' || *format == 'h'; format++)
		ret_how->longs += *format != 'h';
	return format;
}

static void put_string(struct sink *sink, const struct directive *how, const char *text)
{
	if (!text)
		text = "(null)";
	size_t length = how->precision >= 0 ? strnlen(text, (size_t)how->precision) : strlen(text);
	put_padded(sink, how, text, length, 0);
}

static void put_signed(struct sink *sink, const struct directive *how, int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	put_number(sink, how, magnitude, 10, false, value < 0 ? '-' : 0);
}

int own_vsnprintf(char *to, size_t size, const char *format, va_list given)
{
	struct sink sink = { to, size, 0 };
	va_list args;
	va_copy(args, given);
	for (; *format; format++) {
		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		struct directive how;
		format = read_directive(format + 1, &how, &args);
		char c = *format;
		if (c == 'd' || c == 'i') {
			put_signed(&sink, &how, how.longs ? va_arg(args, int64_t) : va_arg(args, int));
		} else if (c == 'u' || c == 'x' || c == 'X') {
			uint64_t value = how.longs ? va_arg(args, uint64_t) : va_arg(args, unsigned);
			put_number(&sink, &how, value, c == 'u' ? 10 : 16, c == 'X', 0);
		} else if (c == 'p') {
			put(&sink, '0');
			put(&sink, 'x');
			put_number(&sink, &how, (uintptr_t)va_arg(args, void *), 16, false, 0);
		} else if (c == 's') {
			put_string(&sink, &how, va_arg(args, const char *));
		} else if (c == 'c') {
			char one = (char)va_arg(args, int);
			put_padded(&sink, &how, &one, 1, 0);
		} else if (c) {
			put(&sink, c); /* %% */
		} else {
			break;
		}
	}
	va_end(args);
	if (size)
		to[sink.length < size ? sink.length : size - 1] = '\0';
	return (int)sink.length;
}

int own_snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = own_vsnprintf(to, size, format, args);
	va_end(args);
	return length;
}

static void swap_bytes(char *a, char *b, size_t size)
{
	for (; size; size--, a++, b++) {
		char kept = *a;
		*a = *b;
		*b = kept;
	}
}

static void sift_down(char *base, size_t root, size_t count, size_t size,
                      int (*compare)(const void *, const void *, void *), void *arg)
{
	for (;;) {
		size_t child = 2 * root + 1;
		if (child >= count)
			return;
		if (child + 1 < count && compare(base + child * size, base + (child + 1) * size, arg) < 0)
			child++;
		if (compare(base + root * size, base + child * size, arg) >= 0)
			return;
		swap_bytes(base + root * size, base + child * size, size);
		root = child;
	}
}

void own_sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *, void *), void *arg)
{
	for (size_t root = count / 2; root-- > 0;)
		sift_down(base, root, count, size, compare, arg);
	for (size_t end = count; end-- > 1;) {
		swap_bytes(base, (char *)base + end * size, size);
		sift_down(base, 0, end, size, compare, arg);
	}
}
