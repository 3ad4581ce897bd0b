/* replay.c - main() of a fuzz target where libFuzzer is not: runs every file of the directories (or each file) named on
 * the command line once through the target, so that what fuzzing has found stays found under any compiler.
 *
 * It is no fuzzer: it makes no input of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed_count;

static int fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return 1;
}

/* The input lies in a block of exactly its size, so that a read behind its end is seen by AddressSanitizer. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return fail(path);
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		free(data);
		fclose(file);
		return fail(path);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	replayed_count++;
	free(data);
	return 0;
}

static int replay(const char *path);

static int replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	if (!directory)
		return fail(path);
	int failed = 0;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == '.')
			continue;
		char *inner;
		if (asprintf(&inner, "%s/%s", path, entry->d_name) < 0)
			abort();
		failed |= replay(inner);
		free(inner);
	}
	closedir(directory);
	return failed;
}

static int replay(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return fail(path);
	return S_ISDIR(info.st_mode) ? replay_directory(path) : replay_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%zu inputs replayed\n", replayed_count);
	if (replayed_count == 0) {
		fprintf(stderr, "no inputs: name a corpus directory\n");
		return 1;
	}
	return failed;
}
