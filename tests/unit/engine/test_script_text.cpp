// Sources inside TorchScript files: what PyTorch prints passes, what is too deep for its own parser does not.

#include <gtest/gtest.h>

#include <string>

#include "engine/network/import/torchscript/script_text.hpp"

namespace flipstorm
{
namespace
{

std::string excess(const std::string& text)
{
    return script_excess(text, {20, 3, 4}).value_or("");
}

std::string repeated(const std::string& text, int times)
{
    std::string result;
    for (int i = 0; i < times; ++i)
        result += text;
    return result;
}

TEST(ScriptText, WhatPyTorchPrintsPasses)
{
    const std::string text =
        "class Conv2d(Module):\n"
        "  __parameters__ = [\"weight\", \"bias\", ]\n"
        "  weight : Tensor\n"
        "  padding : Final[Tuple[int, int]] = (0, 0)\n"
        "  def forward(self: __torch__.torch.nn.modules.conv.Conv2d,\n"
        "    input: Tensor) -> Tensor:\n"
        "    # it's a comment (with a bracket\n"
        "    _0 = \"it's [not [[[ nested\"\n"
        "    if torch.__is__(_0, None):\n"
        "      _1 = torch.conv2d(input, self.weight, None, [1, 1], [0, 0], [1, 1])\n"
        "    else:\n"
        "      _1 = input\n"
        "    return _1\n";
    EXPECT_EQ(excess(text), "");
    EXPECT_EQ(script_excess(text), std::nullopt);
}

TEST(ScriptText, LongListsAndManyLinesAreNotDeep)
{
    EXPECT_EQ(excess("x = [" + repeated("-1.5, ", 1000) + "]\n"), "");
    EXPECT_EQ(excess(repeated("x = torch.add(x, y)\n", 1000)), "");
    EXPECT_EQ(excess("x = f(" + repeated("(1), ", 1000) + ")\n"), "");
}

TEST(ScriptText, DeepExpressionsAreRefused)
{
    for (const std::string& deep :
         {"x = " + std::string(30, '(') + "1" + std::string(30, ')'), "x = " + std::string(30, '-') + "1",
          "x = " + repeated("not ", 30) + "y", "x = y" + repeated(" + y", 30), "x = y" + repeated(".y", 30),
          "x = y" + repeated("[0]", 30), "x = y" + repeated("(\n)", 30),
          "x = y" + repeated(" if y else y", 15), "x : " + repeated("List[", 30) + "int" + repeated("]", 30),
          "x = y" + repeated("**y", 15), "x = f(1, 2, " + std::string(30, '[') + ")",
          "# type: (" + repeated("List[", 30) + "int", "x = \\\n" + repeated("-\\\n", 30) + "1",
          // Not one bracket has many operations: what is inside counts, too.
          repeated("(", 8) + "x" + repeated("+1+1)", 8)})
    {
        EXPECT_NE(excess(deep).find("more than 20 operations"), std::string::npos) << deep << "\n"
                                                                                   << excess(deep);
    }
    EXPECT_NE(excess("a = 1\nb = 2\nx = " + std::string(30, '(')).find("line 3"), std::string::npos);
}

TEST(ScriptText, DeepBlocksAreRefused)
{
    std::string text;
    for (int i = 0; i < 5; ++i)
        text += std::string(static_cast<std::size_t>(2 * i), ' ') + "if x:\n";
    EXPECT_NE(excess(text).find("more than 3 blocks"), std::string::npos);
    EXPECT_EQ(excess(repeated("if x:\n  y = 1\n", 100)), "");
    EXPECT_NE(excess("if x:\n  y\n" + repeated("elif x:\n  y\n", 5)).find("elif"), std::string::npos);
}

TEST(ScriptText, StringsEndWhereLibTorchEndsThem)
{
    EXPECT_NE(excess("x = 'open\n").find("does not end"), std::string::npos);
    EXPECT_EQ(excess("x = 'a\\'" + std::string(30, '(') + "'\n"), "");
    EXPECT_EQ(excess("x = '''a'" + std::string(30, '(') + "\n'''\n"), "");
    EXPECT_NE(excess("x = 'a' " + std::string(30, '(') + "''\n"), "");
    EXPECT_NE(excess("x = 'a\\"), "");
}

}  // namespace
}  // namespace flipstorm
