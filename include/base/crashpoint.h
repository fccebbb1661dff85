/*
 * crashpoint: named places where a test build may be told to die, to prove that nothing is lost
 * there. In any other build they are nothing.
 *
 * A file of the point's name in the folder given to crashpoint_folder asks for it; the first
 * process to come by takes the file away and kills itself.
 */
#ifndef BASE_CRASHPOINT_H
#define BASE_CRASHPOINT_H

#ifdef C1D_CRASHPOINTS
#define CRASHPOINT(name)               crashpoint_hit(name)
#define CRASHPOINT_FOLDER(parent_path) crashpoint_folder(parent_path)
void crashpoint_hit(const char *name);
void crashpoint_folder(const char *parent_path); /* crash/ in it; once, before threads */
#else
#define CRASHPOINT(name)               ((void)0)
#define CRASHPOINT_FOLDER(parent_path) ((void)0)
#endif

#endif
