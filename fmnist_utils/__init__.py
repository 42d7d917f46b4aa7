"""Five student reports on Fashion-MNIST, reproduced number by number."""
