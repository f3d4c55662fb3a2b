//! A weighted, FIFO-fair semaphore for threads and async tasks in one queue.
