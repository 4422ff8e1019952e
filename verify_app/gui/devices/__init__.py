"""Camera and microphone: one worker each, with a latest-wins hand-over to the window."""
