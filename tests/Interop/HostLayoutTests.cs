// The C# side of fastbackup.h against gcc: sizes, offsets, values, and every type in every signature and struct.
// Nothing here knows how the C# was made.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using FastBackup.Interop.Host;
using FastBackup.Tests.Interop.C;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Interop;

public sealed partial class HostLayoutTests
{
    const string Include = "#include <fastbackup.h>\n";
    const BindingFlags Fields = BindingFlags.Public | BindingFlags.Instance;

    static readonly Type[] Structs =
    [
        .. typeof(LibFastBackup).Assembly.GetExportedTypes().Where(type => type.IsValueType && !type.IsNested),
    ];

    static readonly MethodInfo[] Functions =
    [
        .. typeof(LibFastBackup)
            .GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Where(method => method.Name.StartsWith("fb_", StringComparison.Ordinal)),
    ];

    static readonly string Header = File.ReadAllText(Repository.PathOf("native-api/include/fastbackup.h"));

    [Fact]
    public void Names_AreTheHeadersNames()
    {
        Assert.Equal(Matches(FunctionPattern()), Functions.Select(method => method.Name).Order());
        Assert.Equal(Matches(StructPattern()), Structs.Select(type => type.Name).Order());
        Assert.Equal(Matches(ConstantPattern()), Constants().Select(field => field.Name).Order());
    }

    [Fact]
    public void SizesOffsetsAndValues_AreTheCompilers()
    {
        CDump dump = new(Include);
        foreach (Type type in Structs)
        {
            dump.Expect(type.Name, CTypes.SizeOf(type), $"sizeof({type.Name})");
            foreach (FieldInfo field in type.GetFields(Fields))
            {
                string what = $"{type.Name}.{field.Name}";
                dump.Expect(what, CTypes.OffsetOf(type, field.Name), $"offsetof({type.Name}, {field.Name})");
                dump.Expect(what, CTypes.SizeOf(field.FieldType), $"sizeof((({type.Name} *)0)->{field.Name})");
            }
        }
        foreach (FieldInfo constant in Constants())
        {
            dump.Expect(constant.Name, constant.GetRawConstantValue()!, constant.Name);
            bool isSigned = constant.FieldType == typeof(int) || constant.FieldType == typeof(long);
            dump.Expect(constant.Name + " is signed", isSigned ? 1 : 0, $"((__typeof__({constant.Name}))-1 < 1)");
        }
        Assert.True(dump.AssertEqual() > 500);
    }

    [Fact]
    public void Signatures_AreTheHeadersSignatures()
    {
        ToolRun run = CSource.Check(Include + Prototypes(Functions), "-Dconst=");
        Assert.True(run.ExitCode == 0, run.Output);
    }

    [Fact]
    public void SignatureWithOtherWidth_IsRefusedByTheCompiler()
    {
        string wrong = Prototypes(Functions).Replace("uint32_t fb_abi_version", "uint64_t fb_abi_version");
        ToolRun run = CSource.Check(Include + wrong, "-Dconst=");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("conflicting types", run.Output);
    }

    [Fact]
    public void Members_HaveTheHeadersTypes()
    {
        StringBuilder source = new(Include);
        foreach (Type type in Structs)
        foreach (FieldInfo field in type.GetFields(Fields))
        {
            FixedBufferAttribute? array = field.GetCustomAttribute<FixedBufferAttribute>();
            string declared = array is null
                ? CTypes.Declare(field.FieldType, "")
                : $"{CTypes.Declare(array.ElementType, "")}[{array.Length}]";
            string member = $"__typeof__((({type.Name} *)0)->{field.Name})";
            source.Append($"_Static_assert(__builtin_types_compatible_p({declared}, {member}), \"{type.Name}\");\n");
        }
        ToolRun run = CSource.Check(source.ToString(), "-Dconst=");
        Assert.True(run.ExitCode == 0, run.Output);
    }

    static string Prototypes(IEnumerable<MethodInfo> functions)
    {
        StringBuilder source = new();
        foreach (MethodInfo function in functions)
        {
            string[] parameters =
            [
                .. function.GetParameters().Select(item => CTypes.Declare(item.ParameterType, item.Name!)),
            ];
            string list = parameters.Length == 0 ? "void" : string.Join(", ", parameters);
            source.Append(CTypes.Declare(function.ReturnType, function.Name)).Append($"({list});\n");
        }
        return source.ToString();
    }

    static IEnumerable<FieldInfo> Constants() =>
        typeof(LibFastBackup).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral);

    static IEnumerable<string> Matches(Regex pattern) =>
        pattern.Matches(Header).Select(match => match.Groups[1].Value).Distinct().Order();

    [GeneratedRegex(@"FB_CALL (fb_\w+)\(")]
    private static partial Regex FunctionPattern();

    [GeneratedRegex(@"^typedef struct (fb_\w+)", RegexOptions.Multiline)]
    private static partial Regex StructPattern();

    // With a value, and no arguments: a number, one in brackets, or UINT32_MAX.
    [GeneratedRegex(@"^#define (FB_\w+) [\d(U-]", RegexOptions.Multiline)]
    private static partial Regex ConstantPattern();
}
