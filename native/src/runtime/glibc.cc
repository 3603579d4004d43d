// What a new glibc would make a requirement, asked of an old one; linked into addons for other machines only. An addon
// that was linked on a new system names the newest version of each symbol, and does not load on a system that lacks it.
// What is defined here is found before glibc's own, by our code and by the C++ library linked into the addon, and goes on
// to the version that every glibc for the processor has had from the start.
#include <cstddef>  // says whether this is glibc

#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
#include <pthread.h>
#include <time.h>

#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#else
#define FIRST_VERSION "GLIBC_2.17"
#endif

// `old_NAME` is NAME in its first version.
#define FIRST(name) __asm__(".symver old_" #name ", " #name "@" FIRST_VERSION)

FIRST(pthread_create);
FIRST(pthread_join);
FIRST(pthread_once);
FIRST(pthread_key_create);

extern "C" {

int old_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int old_pthread_join(pthread_t, void**);
int old_pthread_once(pthread_once_t*, void (*)());
int old_pthread_key_create(pthread_key_t*, void (*)(void*));

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  return old_pthread_create(thread, attributes, start, argument);
}
int pthread_join(pthread_t thread, void** result) { return old_pthread_join(thread, result); }
int pthread_once(pthread_once_t* once, void (*f)()) { return old_pthread_once(once, f); }
int __pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) { return old_pthread_key_create(key, destroy); }

// From 2.30. A wait by the steady clock becomes one by the clock of the day, as before that version; who waits looks
// again at what it waits for, and at the time.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  timespec now, day;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &day);
  constexpr long kSecond = 1000000000;
  const long ns = day.tv_nsec + until->tv_nsec - now.tv_nsec;  // from -1 to 2 seconds
  const long carry = ns < 0 ? -1 : ns / kSecond;
  day.tv_sec += until->tv_sec - now.tv_sec + carry;
  day.tv_nsec = ns - carry * kSecond;
  return pthread_cond_timedwait(condition, mutex, &day);
}

// From 2.32: whether the process has one thread, so that counts need not be atomic. Node has several.
char __libc_single_threaded = 0;

}  // extern "C"
#endif
