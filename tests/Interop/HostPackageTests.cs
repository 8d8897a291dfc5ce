// The bindings as 'dotnet pack' makes them, in a host that has nothing else of this tree and calls the library.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Interop;

public sealed class HostPackageTests : IDisposable
{
    readonly PackageFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Host_OfAnotherTree_CallsTheLibrary()
    {
        // As they were built with these tests: nothing of the tree is restored or compiled.
        string bindings = Repository.PathOf("interop/Host");
        _folder.Dotnet("pack", bindings, "-c", "Release", "--no-build", "-o", "packages", "-nologo");
        Assert.Single(Directory.GetFiles(_folder["packages"], "*.snupkg"));
        string package = Path.GetFileNameWithoutExtension(Directory.GetFiles(_folder["packages"], "*.nupkg").Single());
        string version = package["FastBackup.Interop.Host.".Length..];
        string project = $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework></PropertyGroup>
              <ItemGroup><PackageReference Include="FastBackup.Interop.Host" Version="{version}" /></ItemGroup>
            </Project>
            """;
        const string program = """
            using FastBackup.Interop.Host;
            System.Console.WriteLine(LibFastBackup.fb_abi_version() == LibFastBackup.FB_ABI_VERSION);
            """;
        File.WriteAllText(_folder["host.csproj"], project);
        File.WriteAllText(_folder["Program.cs"], program);
        _folder.Dotnet("build", "-c", "Release", "-o", "built", "-nologo", "-v", "quiet", "-nodeReuse:false");
        using RunningProgram host = new(
            _folder.Path,
            "dotnet",
            ["built/host.dll"],
            ("LD_LIBRARY_PATH", Path.GetDirectoryName(BuiltLibrary.BaselineFile)!)
        );
        Assert.Equal("True\n", host.Wait().Expect(0).Output);
    }
}
