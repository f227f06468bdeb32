"""Every call that Segue makes at AWS, made by boto3 and by the AWS CLI against a sandbox.

Reads the sandbox's ready line on stdin. Prints a line for each thing that worked; the first that does not
ends it with a traceback and exit code 1. It shares nothing with the Rust code: names, waiters and paginators
are botocore's own.
"""

import json
import os
import subprocess
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
EC2 = SESSION.client("ec2", endpoint_url=READY["aws"], config=CONFIG)
ELB = SESSION.client("elbv2", endpoint_url=READY["aws"], config=CONFIG)
QUICK = {"Delay": 1, "MaxAttempts": 30}
TAGS = [{"Key": "segue:service", "Value": READY["service"]}, {"Key": "Name", "Value": "by boto3"}]


def said(what):
    print(f"ok {what}", flush=True)


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


def images_and_places():
    pages = EC2.get_paginator("describe_images").paginate(
        Owners=["self"],
        Filters=[{"Name": "tag:service", "Values": [READY["service"]]}, {"Name": "state", "Values": ["available"]}],
    )
    images = [image for page in pages for image in page["Images"]]
    assert {image["ImageId"] for image in images} == set(READY["images"].values()), images
    said("describe_images, paginated")
    subnets = EC2.describe_subnets(SubnetIds=READY["subnets"])["Subnets"]
    assert all(subnet["AvailableIpAddressCount"] > 0 for subnet in subnets) and len(subnets) == len(READY["subnets"])
    refused("InvalidSubnetID.NotFound", EC2.describe_subnets, SubnetIds=["subnet-0ffffffffffffffff"])
    templates = EC2.describe_launch_templates(LaunchTemplateIds=[READY["launch_template"]])
    assert len(templates["LaunchTemplates"]) == 1
    said("describe_subnets, describe_launch_templates")


def launch_once():
    launched = launch(3, "boto3-1")
    first = sorted(instance["InstanceId"] for instance in launched["Instances"])
    again = sorted(instance["InstanceId"] for instance in launch(3, "boto3-1")["Instances"])
    assert first == again and len(first) == 3, (first, again)
    said("run_instances, and the same token brings the same instances")
    refused("IdempotentParameterMismatch", lambda **a: launch(2, "boto3-1", **a))
    EC2.get_waiter("instance_running").wait(InstanceIds=first, WaiterConfig=QUICK)
    said("waiter instance_running")
    pages = EC2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "tag:Name", "Values": ["by boto3"]}], PaginationConfig={"PageSize": 5}
    )
    listed = [page["Reservations"] for page in pages]
    assert sorted(ids([one for page in listed for one in page])) == first
    said("describe_instances by tag, paginated")
    return first


def paging_counts_instances():
    more = sorted(instance["InstanceId"] for instance in launch(9, "boto3-2")["Instances"])
    pages = EC2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    sizes = [len(ids(page["Reservations"])) for page in pages]
    assert max(sizes) <= 5 and len(sizes) > 2, f"one reservation of nine in pages of five: {sizes}"
    said("a page counts instances, not reservations")
    return more


def targets(instances):
    group = READY["target_groups"]["b"]
    entries = [{"Id": instance} for instance in instances]
    ELB.register_targets(TargetGroupArn=group, Targets=entries)
    ELB.get_waiter("target_in_service").wait(TargetGroupArn=group, Targets=entries, WaiterConfig=QUICK)
    said("register_targets, waiter target_in_service")
    health = ELB.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert {one["Target"]["Id"] for one in health} == set(instances)
    ELB.deregister_targets(TargetGroupArn=group, Targets=entries)
    ELB.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=entries, WaiterConfig=QUICK)
    said("deregister_targets, waiter target_deregistered")
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
    groups = [g for page in ELB.get_paginator("describe_target_groups").paginate() for g in page["TargetGroups"]]
    assert set(READY["target_groups"].values()) <= {group["TargetGroupArn"] for group in groups}
    said("describe_target_groups, paginated")


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


def by_the_cli():
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
        "AWS_DEFAULT_REGION": READY["region"],
        "AWS_ENDPOINT_URL": READY["aws"],
        "AWS_PAGER": "",
    }
    aws = os.path.join(os.path.dirname(sys.executable), "aws")

    def run(*words):
        done = subprocess.run([aws, *words, "--output", "json"], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    launched = run(
        "ec2", "run-instances", "--launch-template", f"LaunchTemplateId={READY['launch_template']}",
        "--image-id", READY["images"]["2"], "--subnet-id", READY["subnets"][1], "--count", "2",
    )
    instances = [instance["InstanceId"] for instance in launched["Instances"]]
    run("ec2", "wait", "instance-running", "--instance-ids", *instances)
    listed = run("ec2", "describe-instances", "--instance-ids", *instances)
    assert sorted(ids(listed["Reservations"])) == sorted(instances)
    assert run("ec2", "describe-images", "--owners", "self")["Images"]
    assert run("ec2", "describe-subnets")["Subnets"]
    assert run("ec2", "describe-launch-templates")["LaunchTemplates"]
    group = READY["target_groups"]["b"]
    entries = [f"Id={instance}" for instance in instances]
    run("elbv2", "register-targets", "--target-group-arn", group, "--targets", *entries)
    run("elbv2", "wait", "target-in-service", "--target-group-arn", group, "--targets", *entries)
    assert run("elbv2", "describe-target-health", "--target-group-arn", group)["TargetHealthDescriptions"]
    run("elbv2", "deregister-targets", "--target-group-arn", group, "--targets", *entries)
    run("elbv2", "wait", "target-deregistered", "--target-group-arn", group, "--targets", *entries)
    listener = run("elbv2", "describe-listeners", "--listener-arns", READY["listener_arn"])["Listeners"][0]
    actions = json.dumps(listener["DefaultActions"])
    run("elbv2", "modify-listener", "--listener-arn", READY["listener_arn"], "--default-actions", actions)
    run("ec2", "stop-instances", "--instance-ids", *instances)
    run("ec2", "wait", "instance-stopped", "--instance-ids", *instances)
    run("ec2", "start-instances", "--instance-ids", *instances)
    run("ec2", "wait", "instance-running", "--instance-ids", *instances)
    run("ec2", "terminate-instances", "--instance-ids", *instances)
    run("ec2", "wait", "instance-terminated", "--instance-ids", *instances)
    said("the AWS CLI, with its waiters")


images_and_places()
first = launch_once()
more = paging_counts_instances()
targets(first)
weights()
stop_start_end(first)
EC2.terminate_instances(InstanceIds=more)
signatures()
by_the_cli()
