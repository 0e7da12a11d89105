class Net(Module):
  __parameters__ = ["weight", ]
  weight : Tensor
  padding : Final[Tuple[int, int]] = (0, 0)
  def forward(self: __torch__.Net,
    x: Tensor) -> Tensor:
    # it's a comment
    _0 = "it's [not nested"
    if torch.__is__(_0, None):
      _1 = torch.conv2d(x, self.weight, None, [1, 1], [0, 0])
    else:
      _1 = -x if x else not x ** 2
    return _1
