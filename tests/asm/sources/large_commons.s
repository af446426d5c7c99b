 .local b
 .largecomm b,100000,32
 .largecomm c,100,8
 .largecomm d,100
.local e
 .largecomm e,7
