// What the kernels that sum up lines and those that look for the ends of boxes share.
using Sum = unsigned long long;

enum Constant {
    LEVEL_STEP = 257,  // roi_settings.LEVEL_STEP
    SEARCHERS = 512    // gpu/line_sums.SEARCHERS: threads that search the lines of an image
};

struct Image {  // line_sums._IMAGE
    const unsigned short* values;  // (height, width) display values
    long long first;               // index of its line 0 in the sums of the batch
    int height, width;             // px
    int above;                     // display values above this are bright
    int dark;                      // levels up to this count as 0
};

struct Area {  // a row of (N, 4) int32: half-open, px
    int top, bottom, left, right;
};

struct Box {  // a row of (N, 6) int32, the columns boxes.FIELDS
    int top, bottom, left, right, mirror, found;
};
