// One form of operator new or delete, replaced: FORM is its number. Compiled
// once for each, so that a program or a library can have any of them.
#include <new>

// In main.cc: who was called, and what it should do then.
extern "C" void form_called(int form) __attribute__((weak));
extern "C" void *form_take(std::size_t size, std::size_t align)
    __attribute__((weak));
extern "C" void form_give(void *p) __attribute__((weak));

/* clang-format off */
#define NEW(parameters, align) \
	parameters { form_called(FORM); return form_take(n, align); }
#define NEW_NOTHROW(parameters, align) \
	parameters { \
		form_called(FORM); \
		try { return form_take(n, align); } \
		catch (...) { return nullptr; } \
	}
#define DELETE(parameters) \
	parameters { form_called(FORM); form_give(p); }
/* clang-format on */
#define SIZE  std::size_t n
#define ALIGN std::align_val_t a
#define TAG   const std::nothrow_t &

#if FORM == 0
void *operator new NEW((SIZE), 0)
#elif FORM == 1
void *operator new[] NEW((SIZE), 0)
#elif FORM == 2
void operator delete DELETE((void *p) noexcept)
#elif FORM == 3
void operator delete[] DELETE((void *p) noexcept)
#elif FORM == 4
void *operator new NEW_NOTHROW((SIZE, TAG) noexcept, 0)
#elif FORM == 5
void *operator new[] NEW_NOTHROW((SIZE, TAG) noexcept, 0)
#elif FORM == 6
void operator delete DELETE((void *p, std::size_t) noexcept)
#elif FORM == 7
void operator delete[] DELETE((void *p, std::size_t) noexcept)
#elif FORM == 8
void operator delete DELETE((void *p, TAG) noexcept)
#elif FORM == 9
void operator delete[] DELETE((void *p, TAG) noexcept)
#elif FORM == 10
void *operator new NEW((SIZE, ALIGN), (std::size_t)a)
#elif FORM == 11
void *operator new[] NEW((SIZE, ALIGN), (std::size_t)a)
#elif FORM == 12
void operator delete DELETE((void *p, ALIGN) noexcept)
#elif FORM == 13
void operator delete[] DELETE((void *p, ALIGN) noexcept)
#elif FORM == 14
void *operator new NEW_NOTHROW((SIZE, ALIGN, TAG) noexcept, (std::size_t)a)
#elif FORM == 15
void *operator new[] NEW_NOTHROW((SIZE, ALIGN, TAG) noexcept, (std::size_t)a)
#elif FORM == 16
void operator delete DELETE((void *p, std::size_t, ALIGN) noexcept)
#elif FORM == 17
void operator delete[] DELETE((void *p, std::size_t, ALIGN) noexcept)
#elif FORM == 18
void operator delete DELETE((void *p, ALIGN, TAG) noexcept)
#elif FORM == 19
void operator delete[] DELETE((void *p, ALIGN, TAG) noexcept)
#endif
