// CUDA's language on the CPU, as far as the kernels of this project use it.
//
// A launch runs its blocks one after another, so __shared__ memory is static; at the start of each
// block it is filled with a pattern, since on a GPU it holds whatever was there. A block runs its
// warps one after another, each up to a barrier of the block, and a warp its threads likewise. What
// relies on an order fails: blocks run from the last to the first, and so do the warps and threads
// of every second block.
//
// Warp functions take the full mask only. There is no dynamic shared memory, no half type and no
// texture. Undefined behavior which a GPU and this CPU would settle differently (misaligned
// addresses, shifts past the width, indices past a fixed array, casts that overflow) is reported by
// the compiler's sanitizer, and fails the launch; an address past a tensor is not noticed.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define HOST_SHIM 1  // by which a kernel can tell
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __constant__ static const
#define __shared__ static __attribute__((section("shared_memory")))

struct dim3 { unsigned x = 1, y = 1, z = 1; };

static dim3 gridDim, blockDim, blockIdx, threadIdx;
constexpr int warpSize = 32;

// ---------------------------------------------------------------- the threads of one block

// The linker sets these to the ends of the section that __shared__ names, if there is one.
extern "C" char __start_shared_memory[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));

namespace shim {

constexpr size_t STACK_BYTES = 1 << 18;
constexpr unsigned ALL_LANES = 0xffffffffu;

enum class State { unstarted, ready, at_block_barrier, at_warp_barrier, finished };

struct Thread {
    State state = State::unstarted;
    unsigned fiber = 0;
    uint64_t shown = 0;  // what it shows the others at a shuffle or a vote
};

// A stack on which threads run. Threads that meet no barrier share one; a thread that waits keeps
// its own. makecontext gives a fiber its stack; from then on setjmp and longjmp switch, because
// swapcontext costs two system calls.
struct Fiber {
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
    ucontext_t context;
    jmp_buf paused;
};

static std::function<void()> kernel;
static std::vector<Thread> threads;
static std::vector<std::unique_ptr<Fiber>> fibers;
static std::vector<unsigned> idle;  // fibers
static jmp_buf scheduler;
static unsigned current, warp_first, warp_end;
static bool descending;
static std::string failure;  // why the launch fails, "" while it does not

inline void make_current(unsigned thread) {
    current = thread;
    unsigned row = thread / blockDim.x;
    threadIdx = {thread % blockDim.x, row % blockDim.y, row / blockDim.y};
}

// What a fiber does: a thread to its end, then those of its warp that come next.
inline void run_threads() {
    unsigned fiber = threads[current].fiber;
    for (;;) {
        kernel();
        threads[current].state = State::finished;
        threads[current].shown = 0;
        if (current == (descending ? warp_first : warp_end - 1)) break;
        unsigned next = descending ? current - 1 : current + 1;
        if (threads[next].state != State::unstarted) break;
        make_current(next);
        threads[next].fiber = fiber;
    }
    idle.push_back(fiber);
    _longjmp(scheduler, 1);
}

inline void wait(State barrier) {
    threads[current].state = barrier;
    if (!_setjmp(fibers[threads[current].fiber]->paused)) _longjmp(scheduler, 1);
}

[[noreturn]] inline void fail(const std::string& why) {
    failure = why;
    _longjmp(scheduler, 1);
}

inline void start(unsigned thread) {
    if (idle.empty()) {
        idle.push_back(fibers.size());
        fibers.emplace_back(new Fiber);
    }
    make_current(thread);
    Fiber& fiber = *fibers[threads[thread].fiber = idle.back()];
    idle.pop_back();
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber.context, run_threads, 0);
    if (!_setjmp(scheduler)) setcontext(&fiber.context);
}

inline void resume(unsigned thread) {
    make_current(thread);
    if (!_setjmp(scheduler)) _longjmp(fibers[threads[thread].fiber]->paused, 1);
}

// Threads of [first, end) go on if all that have not finished wait at this barrier.
inline bool release(State barrier, unsigned first, unsigned end) {
    bool some = false;
    for (unsigned i = first; i < end; i++) {
        if (threads[i].state != barrier && threads[i].state != State::finished) return false;
        some |= threads[i].state == barrier;
    }
    for (unsigned i = first; some && i < end; i++)
        if (threads[i].state == barrier) threads[i].state = State::ready;
    return some;
}

// Each thread of a warp to its end, or to a barrier of the block.
inline void run_warp(unsigned warp) {
    warp_first = warp * warpSize;
    warp_end = std::min<unsigned>(warp_first + warpSize, threads.size());
    do {
        for (unsigned i = warp_first; failure.empty() && i < warp_end; i++) {
            unsigned thread = descending ? warp_end - 1 - (i - warp_first) : i;
            if (threads[thread].state == State::unstarted) start(thread);
            else if (threads[thread].state == State::ready) resume(thread);
        }
    } while (failure.empty() && release(State::at_warp_barrier, warp_first, warp_end));
}

inline void run_block() {
    unsigned count = blockDim.x * blockDim.y * blockDim.z;
    unsigned warps = (count + warpSize - 1) / warpSize;
    threads.assign(count, Thread());
    idle.resize(fibers.size());
    std::iota(idle.begin(), idle.end(), 0);
    if (__start_shared_memory)
        memset(__start_shared_memory, 0xa5, __stop_shared_memory - __start_shared_memory);
    do {
        for (unsigned i = 0; failure.empty() && i < warps; i++)
            run_warp(descending ? warps - 1 - i : i);
    } while (failure.empty() && release(State::at_block_barrier, 0, count));
    for (const Thread& thread : threads)
        if (failure.empty() && thread.state != State::finished)
            failure = "deadlock: the threads of a block wait at different barriers";
}

inline void run_grid(dim3 grid, dim3 block) {
    gridDim = grid;
    blockDim = block;
    failure.clear();
    uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
    for (uint64_t i = blocks; failure.empty() && i-- > 0;) {
        blockIdx = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y),
                    unsigned(i / grid.x / grid.y)};
        descending = i % 2 == 0;
        run_block();
    }
}

// ---------------------------------------------------------------- launches from outside

template <class T>
std::string type_code() {  // NumPy's: i4, u2, f4; * before what a pointer points to
    using Plain = std::remove_cv_t<T>;
    if constexpr (std::is_pointer_v<Plain>) return "*" + type_code<std::remove_pointer_t<Plain>>();
    else if constexpr (std::is_same_v<Plain, bool>) return "b1";
    else if constexpr (std::is_floating_point_v<Plain>) return "f" + std::to_string(sizeof(T));
    else if constexpr (std::is_signed_v<Plain>) return "i" + std::to_string(sizeof(T));
    else if constexpr (std::is_integral_v<Plain>) return "u" + std::to_string(sizeof(T));
    else return "struct";
}

// The types of the parameters, each followed by a space.
template <class... Args>
const char* signature(void (*)(Args...)) {
    static std::string codes;
    codes.clear();
    ((codes += type_code<Args>() + " "), ...);
    return codes.c_str();
}

template <class... Args, size_t... I>
const char* launch(void (*function)(Args...), const unsigned* grid, const unsigned* block,
                   void** args, std::index_sequence<I...>) {
    kernel = [=] { function(*static_cast<Args*>(args[I])...); };
    run_grid({grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]});
    return failure.c_str();
}

template <class... Args>
const char* launch(void (*function)(Args...), const unsigned* grid, const unsigned* block,
                   void** args) {
    return launch(function, grid, block, args, std::index_sequence_for<Args...>());
}

}  // namespace shim

// What the sanitizer calls instead of going on; the first thing each report holds is the place.
struct SourcePlace {
    const char* file;
    uint32_t line, column;
};
#define SHIM_SANITIZER(name, what)                                                           \
    extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_##name(void* report) { \
        const SourcePlace& place = *static_cast<SourcePlace*>(report);                       \
        shim::fail(place.file + (":" + std::to_string(place.line)) + ": " what);             \
    }
SHIM_SANITIZER(type_mismatch_v1, "misaligned or null address")
SHIM_SANITIZER(out_of_bounds, "index out of bounds")
SHIM_SANITIZER(shift_out_of_bounds, "shift by the width or more, or by less than 0")
SHIM_SANITIZER(divrem_overflow, "division by 0, or an overflow")
SHIM_SANITIZER(float_cast_overflow, "value too large for the integer")

#define HOST_KERNEL(name)                                                                    \
    extern "C" const char* signature_##name() { return shim::signature(name); }              \
    extern "C" const char* launch_##name(const unsigned* grid, const unsigned* block,        \
                                         void** args) {                                      \
        return shim::launch(name, grid, block, args);                                        \
    }
