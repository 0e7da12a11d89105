#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"

namespace flipstorm
{
namespace
{

ImageSet labelled(std::vector<std::int32_t> labels)
{
    ImageSet images{1, 1, 1, {}, std::move(labels), {{"labels.idx", 0}}};
    images.pixels.resize(images.labels.size());
    return images;
}

template<class Work>
std::string refused(Work&& work)
{
    try
    {
        work();
    }
    catch (const DataError& error)
    {
        return error.what();
    }
    return "accepted";
}

void expect_says(const std::string& text, const std::vector<std::string>& phrases)
{
    for (const std::string& phrase : phrases)
        EXPECT_NE(text.find(phrase), std::string::npos) << phrase << " is not in: " << text;
}

TEST(Labels, AreCountedFromTheOffset)
{
    ImageSet images = labelled({1, 26, 3});
    EXPECT_EQ(class_count(images), 27);
    shift_labels(images, 1);
    EXPECT_EQ(images.labels, (std::vector<std::int32_t>{0, 25, 2}));
    EXPECT_EQ(class_count(images), 26);
    EXPECT_NO_THROW(check_images(images, 26, "test set"));
    shift_labels(images, -5);
    EXPECT_EQ(images.labels, (std::vector<std::int32_t>{5, 30, 7}));
    EXPECT_EQ(class_count(labelled({0, 0})), 2);  // a network of one class cannot mispredict
}

TEST(Labels, AreRefusedBelowTheOffset)
{
    expect_says(refused([] {
                    ImageSet images = labelled({2, 5, 1, 0});
                    shift_labels(images, 2);
                }),
                {"label 1 of image 2 of 'labels.idx' is -1", "data.label_offset = 2"});
    expect_says(refused([] {
                    ImageSet images = labelled({2, -3});
                    shift_labels(images, 0);
                }),
                {"label -3 of image 1 of 'labels.idx'"});
    expect_says(refused([] {
                    ImageSet images = labelled({2147483647});
                    shift_labels(images, -1);
                }),
                {"label 2147483647 of image 0", "too large"});
}

TEST(Labels, ThatAreNoClassNameTheRemedy)
{
    const auto message = [](std::vector<std::int32_t> labels, std::int32_t classes) {
        return refused([&] { check_images(labelled(std::move(labels)), classes, "model.h5"); });
    };
    expect_says(message({1, 2, 26, 13}, 26), {"model.h5: label 26 of image 2 of 'labels.idx'", "0 … 25",
                                              "26 classes", "begin at 1", "raise data.label_offset", "by 1"});
    expect_says(message({0, 7, 30}, 26),
                {"label 30 of image 2", "a model of 31 classes", "data.label_offset"});
    EXPECT_EQ(message({0, 4, 2}, 10), "accepted");  // fewer classes than outputs
}

}  // namespace
}  // namespace flipstorm
