"""Meta-learning for scikit-learn users: learn from many small tasks, adapt to a new one.

Names are imported when they are first used, so that `import skmeta` loads neither torch nor optuna.
"""

import lazy_loader

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
