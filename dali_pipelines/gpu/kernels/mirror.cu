// By how much the outer columns of each image of a batch hold more at its right: cpu/mirror.py.
//
// Each px of those columns is read once and costs one addition: 2 bytes and an operation to each,
// so at most 27 MB for 13.6 MP. These are counts; none is a measurement.
//
// A sum of 65,536 x 65,536 display values is below 2**48, and addition modulo 2**64 has no order.

constexpr int STRIP_ROWS = 32;  // mirror._STRIP_ROWS
constexpr unsigned ALL_LANES = 0xffffffff;

struct Image {  // mirror._IMAGE
    const unsigned short* values;  // (height, width) display values
    int height, width, outer;      // px; outer: columns at each side that decide
    int unused;
};

// Adds the right outer columns to `leans`, and takes the left ones from it; all must be 0 before.
// One thread block (256) a strip of rows: grid (strips of the highest image, images).
extern "C" __global__ void __launch_bounds__(256)
lean_right(const Image* __restrict__ images, unsigned long long* leans) {
    const Image image = images[blockIdx.y];
    const int top = blockIdx.x * STRIP_ROWS, bottom = min(top + STRIP_ROWS, image.height);
    long long lean = 0;
    for (int row = top; row < bottom; ++row) {
        const unsigned short* left = image.values + (long long)row * image.width;
        const unsigned short* right = left + image.width - image.outer;
        for (int column = threadIdx.x; column < image.outer; column += blockDim.x)
            lean += (int)right[column] - (int)left[column];
    }
    for (int lanes = 16; lanes > 0; lanes /= 2) lean += __shfl_xor_sync(ALL_LANES, lean, lanes);
    if (threadIdx.x % 32 == 0 && lean) atomicAdd(&leans[blockIdx.y], (unsigned long long)lean);
}
