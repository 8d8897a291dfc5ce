// A project of the tree that builds a program, and where the Release build of it lies.
using System.IO;
using System.Linq;
using System.Xml.Linq;

namespace FastBackup.Dev;

/// <param name="Name">Short name: the last part of the project's file name, in small letters.</param>
/// <param name="AssemblyPath">The built program, to be run with the dotnet command.</param>
sealed record TestProject(string Name, string AssemblyPath)
{
    const string Framework = "net10.0";

    /// <summary>Every project in tests/ that references xunit.v3, in the order of their names.</summary>
    public static TestProject[] Discover() =>
        [
            .. Directory
                .EnumerateFiles(Repository.PathOf("tests"), "*.csproj", SearchOption.AllDirectories)
                .Where(ReferencesXunit)
                .Select(FromFile)
                .OrderBy(project => project.Name, System.StringComparer.Ordinal),
        ];

    /// <summary>The one project in a folder of the tree.</summary>
    public static TestProject InFolder(string folder) =>
        FromFile(Directory.EnumerateFiles(Repository.PathOf(folder), "*.csproj").Single());

    static bool ReferencesXunit(string projectFile) =>
        XDocument
            .Load(projectFile)
            .Descendants("PackageReference")
            .Any(reference => (string?)reference.Attribute("Include") == "xunit.v3");

    static TestProject FromFile(string projectFile)
    {
        string fileName = Path.GetFileNameWithoutExtension(projectFile);
        string assembly = XDocument.Load(projectFile).Descendants("AssemblyName").FirstOrDefault()?.Value ?? fileName;
        string folder = Path.GetDirectoryName(projectFile)!;
        string name = fileName.Split('.')[^1].ToLowerInvariant();
        return new TestProject(name, Path.Combine(folder, "bin", "Release", Framework, assembly + ".dll"));
    }
}
