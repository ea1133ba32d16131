// Black outside of the masks of a batch: each px is read and written once, 4 bytes, with one bit of
// a mask; 13.6 MP are 56 MB, 17 us at the 3.35 TB/s of an H100, and 5 operations a px. These are
// counts; none is a measurement.

constexpr int THREADS = 256;

struct Image {  // mask._IMAGE
    const unsigned short* values;  // (height, width)
    unsigned short* masked;
    const unsigned* words;  // (height, ceil(width / 32)), boxes.DeviceMasks
    int height, width;
};

struct Box {
    int top, bottom, left, right, mirror, found;
};

// One block a row: grid (enough for the highest, images).
extern "C" __global__ void __launch_bounds__(THREADS)
    apply_masks(const Image* __restrict__ images, const Box* __restrict__ boxes) {
    const Image image = images[blockIdx.y];
    const int row = blockIdx.x;
    if (row >= image.height) return;
    const bool all = !boxes[blockIdx.y].found;
    const unsigned* const words = image.words + row * ((image.width + 31) / 32);
    const long long first = (long long)row * image.width;
#pragma unroll 4  // loads under way at once
    for (int x = threadIdx.x; x < image.width; x += THREADS) {
        const bool kept = all || (words[x / 32] >> x % 32 & 1);
        image.masked[first + x] = kept ? image.values[first + x] : 0;
    }
}
