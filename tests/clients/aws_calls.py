"""Every call that Segue makes at AWS, made by boto3 against a sandbox, with botocore's waiters and paginators.

Reads the sandbox's ready line on stdin. Says on stderr each thing that worked; the first that does not ends it with
a traceback and exit code 1. Says on stdout, as JSON, which calls were answered well, by AWS's names. It shares nothing
with the Rust code: names, waiters and paginators are botocore's own. aws_cli.py does the same with the AWS CLI.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

READY = json.load(sys.stdin)
KEYS = READY["credentials"]
CONFIG = Config(region_name=READY["region"], retries={"total_max_attempts": 1})
SESSION = boto3.Session(
    aws_access_key_id=KEYS["access_key_id"], aws_secret_access_key=KEYS["secret_access_key"]
)
CALLS = set()


def answered(http_response, model, **_):
    if http_response.status_code == 200:
        CALLS.add(model.name)


SESSION.events.register("after-call", answered)
EC2 = SESSION.client("ec2", endpoint_url=READY["aws"], config=CONFIG)
ELB = SESSION.client("elbv2", endpoint_url=READY["aws"], config=CONFIG)
QUICK = {"Delay": 1, "MaxAttempts": 30}
TAGS = [{"Key": "segue:service", "Value": READY["service"]}, {"Key": "Name", "Value": "by boto3"}]
MINE = [{"Name": "tag:Name", "Values": ["by boto3"]}]


def said(what):
    print(f"ok {what}", file=sys.stderr, flush=True)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        said(f"refused as {code}")
    else:
        raise AssertionError(f"{call.__name__}({arguments}) was not refused as {code}")


def launch(count, token, **more):
    return EC2.run_instances(
        LaunchTemplate={"LaunchTemplateId": READY["launch_template"]},
        ImageId=READY["images"]["2"],
        SubnetId=READY["subnets"][0],
        MinCount=1,
        MaxCount=count,
        ClientToken=token,
        TagSpecifications=[{"ResourceType": "instance", "Tags": TAGS}],
        **more,
    )


def ids(reservations):
    return [instance["InstanceId"] for one in reservations for instance in one["Instances"]]


def pages(client, name, key, size, **arguments):
    """The things of each page."""
    paginator = client.get_paginator(name)
    return [page[key] for page in paginator.paginate(PaginationConfig={"PageSize": size}, **arguments)]


def whole(listed, size, wanted):
    """Pages that are full but for the last, and hold everything once."""
    sizes = [len(page) for page in listed]
    assert all(n == size for n in sizes[:-1]) and 0 < sizes[-1] <= size, sizes
    found = [thing for page in listed for thing in page]
    assert len(found) == len(set(found)) and set(found) == set(wanted), (found, wanted)
    return len(listed)


def images_and_places():
    ours = [{"Name": "tag:service", "Values": [READY["service"]]}, {"Name": "state", "Values": ["available"]}]
    listed = pages(EC2, "describe_images", "Images", 5, Owners=["self"], Filters=ours)
    images = READY["images"].values()
    assert whole([[one["ImageId"] for one in page] for page in listed], 5, images) > 1, "more than one page"
    for waiter in ("image_exists", "image_available"):
        EC2.get_waiter(waiter).wait(ImageIds=list(images), WaiterConfig=QUICK)
    said("describe_images in pages, waiters image_exists and image_available")
    subnets = EC2.describe_subnets(SubnetIds=READY["subnets"])["Subnets"]
    assert all(subnet["AvailableIpAddressCount"] > 0 for subnet in subnets) and len(subnets) == len(READY["subnets"])
    listed = pages(EC2, "describe_subnets", "Subnets", 5)
    whole([[one["SubnetId"] for one in page] for page in listed], 5, READY["subnets"])
    EC2.get_waiter("subnet_available").wait(SubnetIds=READY["subnets"], WaiterConfig=QUICK)
    refused("InvalidSubnetID.NotFound", EC2.describe_subnets, SubnetIds=["subnet-0ffffffffffffffff"])
    said("describe_subnets in pages, waiter subnet_available")
    templates = EC2.describe_launch_templates(LaunchTemplateIds=[READY["launch_template"]])
    assert len(templates["LaunchTemplates"]) == 1
    listed = pages(EC2, "describe_launch_templates", "LaunchTemplates", 1)
    whole([[one["LaunchTemplateId"] for one in page] for page in listed], 1, [READY["launch_template"]])
    unknown = {"LaunchTemplateIds": ["lt-0ffffffffffffffff"]}
    refused("InvalidLaunchTemplateId.NotFound", EC2.describe_launch_templates, **unknown)
    said("describe_launch_templates in pages")


def launch_once():
    launched = launch(3, "boto3-1")
    first = sorted(instance["InstanceId"] for instance in launched["Instances"])
    again = sorted(instance["InstanceId"] for instance in launch(3, "boto3-1")["Instances"])
    assert first == again and len(first) == 3, (first, again)
    said("run_instances, and the same token brings the same instances")
    refused("IdempotentParameterMismatch", lambda **a: launch(2, "boto3-1", **a))
    for waiter in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
        EC2.get_waiter(waiter).wait(InstanceIds=first, WaiterConfig=QUICK)
        said(f"waiter {waiter}")
    listed = pages(EC2, "describe_instances", "Reservations", 5, Filters=MINE)
    whole([ids(page) for page in listed], 5, first)
    said("describe_instances by tag")
    return first


def paging_counts_instances(first):
    more = sorted(instance["InstanceId"] for instance in launch(9, "boto3-2")["Instances"])
    listed = [ids(page) for page in pages(EC2, "describe_instances", "Reservations", 5, Filters=MINE)]
    assert whole(listed, 5, first + more) == 3, "twelve instances of two launches in pages of five"
    said("describe_instances in pages: a page counts instances, not reservations")
    return more


def targets(instances):
    group = READY["target_groups"]["b"]
    entries = [{"Id": instance} for instance in instances]
    ELB.register_targets(TargetGroupArn=group, Targets=entries)
    ELB.get_waiter("target_in_service").wait(TargetGroupArn=group, Targets=entries, WaiterConfig=QUICK)
    said("register_targets, waiter target_in_service")
    health = ELB.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert {one["Target"]["Id"] for one in health} == set(instances)
    assert not ELB.can_paginate("describe_target_health"), "a group is answered whole"
    ELB.deregister_targets(TargetGroupArn=group, Targets=entries)
    ELB.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=entries, WaiterConfig=QUICK)
    ELB.deregister_targets(TargetGroupArn=group, Targets=entries)
    said("deregister_targets, waiter target_deregistered; what is not in can be taken out")
    nowhere = group.rsplit("/", 1)[0] + "/ffffffffffffffff"
    refused("TargetGroupNotFound", ELB.describe_target_health, TargetGroupArn=nowhere)
    refused("InvalidTarget", ELB.register_targets, TargetGroupArn=group, Targets=[{"Id": "i-0ffffffffffffffff"}])


def weights():
    arn = READY["listener_arn"]
    actions = ELB.describe_listeners(ListenerArns=[arn])["Listeners"][0]["DefaultActions"]
    forward = actions[0]["ForwardConfig"]
    before = {one["TargetGroupArn"]: one["Weight"] for one in forward["TargetGroups"]}
    for one in forward["TargetGroups"]:
        one["Weight"] = 7 if one["TargetGroupArn"] == READY["target_groups"]["b"] else one["Weight"]
    ELB.modify_listener(ListenerArn=arn, DefaultActions=[{"Type": "forward", "ForwardConfig": forward}])
    after = ELB.describe_listeners(ListenerArns=[arn])["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]
    now = {one["TargetGroupArn"]: one["Weight"] for one in after["TargetGroups"]}
    assert now == before | {READY["target_groups"]["b"]: 7}, now
    said("describe_listeners, modify_listener")
    listed = pages(ELB, "describe_listeners", "Listeners", 1, LoadBalancerArn=READY["load_balancer_arn"])
    whole([[one["ListenerArn"] for one in page] for page in listed], 1, [arn])
    listed = pages(ELB, "describe_target_groups", "TargetGroups", 7)
    groups = list(READY["target_groups"].values()) + [slot["target_group"] for slot in READY["slots"]]
    assert whole([[one["TargetGroupArn"] for one in page] for page in listed], 7, groups) > 2
    said("describe_target_groups and describe_listeners in pages")
    balancer = READY["load_balancer_arn"]
    for waiter in ("load_balancer_exists", "load_balancer_available"):
        ELB.get_waiter(waiter).wait(LoadBalancerArns=[balancer], WaiterConfig=QUICK)
    listed = pages(ELB, "describe_load_balancers", "LoadBalancers", 1)
    whole([[one["LoadBalancerArn"] for one in page] for page in listed], 1, [balancer])
    said("describe_load_balancers in pages, waiters load_balancer_exists and load_balancer_available")


def rules():
    listed = pages(ELB, "describe_rules", "Rules", 7, ListenerArn=READY["listener_arn"])
    slots = {slot["target_group"]: slot["value"] for slot in READY["slots"]}
    every = [rule for page in listed for rule in page]
    assert len(every) == len(slots) + 1 and sum(rule["IsDefault"] for rule in every) == 1
    assert whole([[rule["RuleArn"] for rule in page] for page in listed], 7, [rule["RuleArn"] for rule in every]) > 2
    rule = next(rule for rule in every if not rule["IsDefault"])
    query = rule["Conditions"][0]["QueryStringConfig"]["Values"][0]
    forward = rule["Actions"][0]["ForwardConfig"]
    assert (query["Key"], query["Value"]) == ("srv", slots[forward["TargetGroups"][0]["TargetGroupArn"]]), rule
    said("describe_rules in pages")
    other = {"TargetGroupArn": READY["target_groups"]["b"], "Weight": 3}
    both = {"Type": "forward", "ForwardConfig": {"TargetGroups": forward["TargetGroups"] + [other]}}
    ELB.modify_rule(RuleArn=rule["RuleArn"], Actions=[both])
    after = ELB.describe_rules(RuleArns=[rule["RuleArn"]])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert {one["TargetGroupArn"]: one["Weight"] for one in after}[other["TargetGroupArn"]] == 3, after
    ELB.modify_rule(RuleArn=rule["RuleArn"], Actions=[{"Type": "forward", "ForwardConfig": forward}])
    refused("RuleNotFound", ELB.describe_rules, RuleArns=[rule["RuleArn"][:-16] + "f" * 16])
    said("modify_rule")


def stop_start_end(instances):
    one = instances[:1]
    EC2.stop_instances(InstanceIds=one)
    EC2.get_waiter("instance_stopped").wait(InstanceIds=one, WaiterConfig=QUICK)
    EC2.start_instances(InstanceIds=one)
    EC2.get_waiter("instance_running").wait(InstanceIds=one, WaiterConfig=QUICK)
    said("stop_instances, start_instances, their waiters")
    refused("InvalidInstanceID.NotFound", EC2.stop_instances, InstanceIds=["i-0ffffffffffffffff"])
    EC2.terminate_instances(InstanceIds=instances)
    EC2.get_waiter("instance_terminated").wait(InstanceIds=instances, WaiterConfig=QUICK)
    said("terminate_instances, waiter instance_terminated")
    refused("IdempotentInstanceTerminated", lambda **a: launch(3, "boto3-1", **a))


def signatures():
    for pair, code in [(("nobody", "x"), "AuthFailure"), ((KEYS["access_key_id"], "wrong"), "AuthFailure")]:
        stranger = boto3.client(
            "ec2", endpoint_url=READY["aws"], config=CONFIG, aws_access_key_id=pair[0], aws_secret_access_key=pair[1]
        )
        refused(code, stranger.describe_instances)
    refused("InvalidAction", EC2.describe_vpcs)


images_and_places()
first = launch_once()
more = paging_counts_instances(first)
targets(first)
weights()
rules()
EC2.create_tags(Resources=more[:1], Tags=[{"Key": "Name", "Value": "tagged later"}])
stop_start_end(first)
EC2.terminate_instances(InstanceIds=more)
signatures()
print(json.dumps(sorted(CALLS)))
