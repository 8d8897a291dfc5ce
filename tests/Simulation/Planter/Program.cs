// Copies the engine's sources for the simulator's build, with the planted bugs in the copy:
//
//   planter CORE BUGS OUT     folders; OUT gets core's files at the same paths, and PlantedBug.cs
//
// So the engine itself has no line of them. A bug whose lines do not stand in the sources any more, or stand there
// twice, ends the build and is named: it is to be planted anew, or given up with the code that it was about.
using System;
using FastBackup.Tests.Planter;

if (args.Length != 3)
{
    Console.Error.WriteLine("usage: planter CORE BUGS OUT");
    return 2;
}
try
{
    Garden.Write(args[2], Garden.Plant(Garden.ReadSources(args[0]), Garden.ReadBugs(args[1])));
    return 0;
}
catch (PlanterException error)
{
    Console.Error.WriteLine(error.Line);
    return 1;
}
