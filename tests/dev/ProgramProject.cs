// A project of the tree that builds a program, and where the Release build of it lies.
using System.IO;
using System.Linq;
using System.Xml.Linq;
using FastBackup.Tests;

namespace FastBackup.Dev;

/// <param name="Name">Short name: the last part of the project's file name, in small letters.</param>
/// <param name="Folder">From the root of the tree.</param>
/// <param name="AssemblyPath">The built program, to be run with the dotnet command.</param>
sealed record ProgramProject(string Name, string Folder, string AssemblyPath)
{
    const string Framework = "net10.0";

    /// <summary>Every project in tests/ that references xunit.v3, in the order of their names.</summary>
    public static ProgramProject[] Discover() =>
        [
            .. Directory
                .EnumerateFiles(Repository.PathOf("tests"), "*.csproj", SearchOption.AllDirectories)
                .Where(ReferencesXunit)
                .Select(FromFile)
                .OrderBy(project => project.Name, System.StringComparer.Ordinal),
        ];

    /// <summary>The one project in a folder of the tree; a path that was never built when there is none.</summary>
    public static ProgramProject InFolder(string folder)
    {
        string path = Repository.PathOf(folder);
        string[] files = Directory.Exists(path) ? Directory.GetFiles(path, "*.csproj") : [];
        return FromFile(files.Length == 1 ? files[0] : Path.Combine(path, "missing.csproj"));
    }

    static bool ReferencesXunit(string projectFile) =>
        XDocument
            .Load(projectFile)
            .Descendants("PackageReference")
            .Any(reference => (string?)reference.Attribute("Include") == "xunit.v3");

    static ProgramProject FromFile(string projectFile)
    {
        string fileName = Path.GetFileNameWithoutExtension(projectFile);
        string? named = File.Exists(projectFile)
            ? XDocument.Load(projectFile).Descendants("AssemblyName").FirstOrDefault()?.Value
            : null;
        string folder = Path.GetDirectoryName(projectFile)!;
        string name = fileName.Split('.')[^1].ToLowerInvariant();
        return new ProgramProject(
            name,
            Path.GetRelativePath(Repository.Root, folder),
            Path.Combine(folder, "bin", "Release", Framework, (named ?? fileName) + ".dll")
        );
    }
}
