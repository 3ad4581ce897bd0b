/* waits_old_cond.c - a program from before glibc 2.3.2, as far as it matters: its conditions are one pointer, by the functions that glibc has kept
 * for it. Prints "ok NAME" or "WRONG NAME".
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5\n\t"
        ".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5\n\t"
        ".symver old_signal, pthread_cond_signal@GLIBC_2.2.5\n\t"
        ".symver old_init, pthread_cond_init@GLIBC_2.2.5");

int old_init(void *condition, const void *attributes);
int old_signal(void *condition);
int old_wait(void *condition, pthread_mutex_t *mutex);
int old_timedwait(void *condition, pthread_mutex_t *mutex, const struct timespec *until);

static struct {
	void *condition;
	char behind[64];
} old;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int is_ready;

static void *signaller(void *unused)
{
	usleep(20000);
	pthread_mutex_lock(&mutex);
	is_ready = 1;
	old_signal(&old.condition);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void report(int right, const char *name)
{
	printf("%s %s\n", right ? "ok" : "WRONG", name);
}

int main(void)
{
	pthread_t thread;
	struct timespec past = { 1, 0 };
	char before[sizeof(old.behind)];
	memset(old.behind, 'x', sizeof(old.behind));
	memcpy(before, old.behind, sizeof(before));
	old_init(&old.condition, NULL);
	pthread_create(&thread, NULL, signaller, NULL);
	pthread_mutex_lock(&mutex);
	while (!is_ready)
		old_wait(&old.condition, &mutex);
	report(old_timedwait(&old.condition, &mutex, &past) == ETIMEDOUT, "old condition, time that is over");
	report(memcmp(before, old.behind, sizeof(before)) == 0, "nothing written behind an old condition");
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	return 0;
}
